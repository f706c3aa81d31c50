// Parses sizes as people write them.
#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "common/config_table.h"
#include "common/text.h"

namespace weir {
namespace {

struct Quantity {
  std::uint64_t value = 0;
  std::string_view unit;
};

std::optional<Quantity> split(std::string_view text) {
  Quantity out;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out.value);
  if (error != std::errc{}) return std::nullopt;
  out.unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (!out.unit.empty() && out.unit.front() == ' ') out.unit.remove_prefix(1);
  return out;
}

std::optional<std::uint64_t> multiply(std::uint64_t value, std::uint64_t factor) {
  if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / factor)
    return std::nullopt;
  return value * factor;
}

}  // namespace

Result<std::uint64_t> parse_size(std::string_view text) {
  const auto wrong = [text] {
    return fail(Code::kInvalid, fmt::format("\"{}\" is not a size", visible(text.substr(0, 64))),
                "write a whole number and a unit: \"64KiB\", \"1MiB\", \"1MB\", \"512\" (bytes)");
  };
  static constexpr std::pair<std::string_view, std::uint64_t> kUnits[] = {{"", 1},
                                                                          {"B", 1},
                                                                          {"kB", 1000},
                                                                          {"KB", 1000},
                                                                          {"MB", 1'000'000},
                                                                          {"GB", 1'000'000'000},
                                                                          {"TB", 1'000'000'000'000},
                                                                          {"KiB", 1ULL << 10U},
                                                                          {"MiB", 1ULL << 20U},
                                                                          {"GiB", 1ULL << 30U},
                                                                          {"TiB", 1ULL << 40U}};
  const std::optional<Quantity> quantity = split(text);
  if (!quantity) return wrong();
  for (const auto& [unit, factor] : kUnits) {
    if (quantity->unit != unit) continue;
    const std::optional<std::uint64_t> bytes = multiply(quantity->value, factor);
    if (!bytes) return wrong();
    return *bytes;
  }
  return wrong();
}

}  // namespace weir
