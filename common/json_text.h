// Writes JSON strings. Any bytes may go in; what comes out is ASCII or harmless UTF-8. Pure.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// With quotes. Escapes control characters and deceiving characters; bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);
void append_json_text(std::string& out, std::string_view text);  // the same without the quotes
[[nodiscard]] std::string json_string(std::string_view text);    // with quotes

// `json` must be valid and minified; it may be untrusted. Returns the same JSON with the characters escaped
// that must not reach a terminal. (In valid minified JSON they occur only in strings.)
void append_shown_json(std::string& out, std::string_view json);

}  // namespace weir
