// Strings in JSON. What comes out is ASCII or harmless UTF-8, whatever bytes go in. Pure.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// With quotes. Control and deceiving characters are escaped, bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);
void append_json_text(std::string& out, std::string_view text);  // the same without the quotes
[[nodiscard]] std::string json_string(std::string_view text);    // with quotes

// `json` is valid, minified and somebody else's. The same JSON, with the characters escaped that a
// terminal must not see. (They can occur only in its strings.)
void append_shown_json(std::string& out, std::string_view json);

}  // namespace weir
