// What the names of rotated files say: which log they are of, and how old.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

// The path without its rotation suffix: "/l/access.log.2.gz" -> "/l/access.log",
// "/l/access.log-20261123.gz" -> "/l/access.log", "/l/a.log" -> itself.
// Suffixes removed, repeatedly, from the end: .gz .zst .bz2, .N (1 to 4 digits),
// -YYYYMMDD, -YYYYMMDDHH, -YYYYMMDD-N, .YYYY-MM-DD, -YYYY-MM-DD and -EPOCH (10 digits).
[[nodiscard]] std::string log_family(std::string_view path);

// Of one family, by the rotation suffix alone: access.log.2.gz before access.log.1 before access.log,
// access.log-20261123 before access.log-20261124 before access.log.
[[nodiscard]] bool older_generation(const std::string& a, const std::string& b);
// Whether `a` is the newer by its name alone: nearer to the base name than `b`.
[[nodiscard]] bool less_rotated(const std::string& a, const std::string& b);

}  // namespace weir
