// Detects which known format (agent/format/known.h) a log has, from its first lines. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/format/parser.h"

namespace weir {

struct DetectedFormat {
  std::string name;
  FormatSpec spec;
  std::size_t matched = 0;  // how many of the given lines fit
};

// The format that fits the most lines; of several, the first. nullopt: none fits any line.
[[nodiscard]] std::optional<DetectedFormat> detect_format(const std::vector<std::string>& lines);

}  // namespace weir
