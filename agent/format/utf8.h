// UTF-8 that stays valid whatever bytes a log holds. Pure.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir {

// Length of the valid UTF-8 character that starts at text[at]; 0: none does.
[[nodiscard]] std::size_t utf8_length(std::string_view text, std::size_t at);
// Bytes that are no UTF-8 become U+FFFD each.
void append_valid_utf8(std::string& out, std::string_view text);
// With quotes; control characters and marks that turn text around escaped, invalid bytes as U+FFFD.
void append_json_string(std::string& out, std::string_view text);
void append_json_text(std::string& out, std::string_view text);  // the same without the quotes
// JSON that is valid, minified and somebody else's: the same JSON, with the characters escaped that
// a terminal must not see. (They can stand in its strings only.)
void append_shown_json(std::string& out, std::string_view json);

}  // namespace weir
