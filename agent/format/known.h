// The named formats, one row each. Both programs' help, format detection, the list in
// docs/reference/formats.md and the golden tests are generated from these rows or compared with them, so
// adding a format means adding a row. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/format/parser.h"

namespace weir {

struct KnownFormat {
  std::string_view name;
  std::string_view description;  // repeated verbatim in docs/reference/formats.md
  FormatSpec spec;
  // Detection counts only lines that contain this text; "" counts every line that fits. This keeps a special
  // case of a more general format from being chosen for lines of the general one.
  std::string_view mark;
  std::string_view sample;  // as the server writes it; lines before the last one are directives
  std::string_view parsed;  // what `weir-agent parse` prints for the sample's last line
};

// In detection order: if several formats fit the same number of lines, the first one is chosen.
[[nodiscard]] const std::vector<KnownFormat>& known_formats();
[[nodiscard]] const KnownFormat* find_known_format(std::string_view name);  // nullptr: no such name
[[nodiscard]] std::vector<std::string> known_format_names();
[[nodiscard]] std::string known_format_list();  // "combined, main, ..."

}  // namespace weir
