// The formats that have a name, one row each. Both programs' help, their detection of formats, the list in
// docs/reference/formats.md and the golden tests are made from these rows (or compared with them), so a new
// format is a new row. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "agent/format/parser.h"

namespace weir {

struct KnownFormat {
  std::string_view name;
  std::string_view description;  // docs/reference/formats.md repeats it word for word
  FormatSpec spec;
  // Detection counts only lines that contain this text; "" counts every line that fits. It keeps a format
  // that is a special case of another one from being chosen for the other one's lines.
  std::string_view mark;
  std::string_view sample;  // as the server writes it; lines before the last one are directives
  std::string_view parsed;  // what `weir-agent parse` prints for the sample's last line
};

// In the order of detection: of several formats that fit the same number of lines the first one is chosen.
[[nodiscard]] const std::vector<KnownFormat>& known_formats();
[[nodiscard]] const KnownFormat* find_known_format(std::string_view name);  // nullptr: no such name
[[nodiscard]] std::vector<std::string> known_format_names();
[[nodiscard]] std::string known_format_list();  // "combined, main, ..."

}  // namespace weir
