// Formats tables for people: `report`, `audit`. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace weir {

// Makes each column as wide as its content. The first `text_columns` are left-aligned, the numbers
// right-aligned. The first row is the header.
[[nodiscard]] std::string aligned(const std::vector<std::vector<std::string>>& rows,
                                  std::size_t text_columns);
// 1234567 -> "1,234,567".
[[nodiscard]] std::string grouped(std::uint64_t value);
// ISO 8601 in UTC: "2026-11-23T10:00:00Z".
[[nodiscard]] std::string iso(std::int64_t seconds);

}  // namespace weir
