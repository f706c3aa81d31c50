// Which of the known formats (agent/format/known.h) a log has, from its first lines. Pure.
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
  std::size_t matched = 0;  // lines that fit, of those given
};

// The format that fits the most lines, the first of those that fit as many; nullopt: none fits any.
[[nodiscard]] std::optional<DetectedFormat> detect_format(const std::vector<std::string>& lines);

}  // namespace weir
