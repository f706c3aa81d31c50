// Which of the named formats a log has, from its first lines. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/format/parser.h"

namespace weir {

struct DetectedFormat {
  std::string name;  // "combined", "main", "common", "json", "w3c"
  FormatSpec spec;
  std::size_t matched = 0;  // lines that fit, of those given
};

// The format that fits the most lines, at least one; nullopt: none does.
[[nodiscard]] std::optional<DetectedFormat> detect_format(const std::vector<std::string>& lines);

inline constexpr std::string_view kDetectableFormats = "combined, main, common, json, w3c";

}  // namespace weir
