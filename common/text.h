// Text that strangers wrote: one UTF-8 decoder and one set of characters that deceive a reader. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  // U+FFFD

// Length of the valid UTF-8 character that starts at text[at]; 0: none does. `at` is below text.size().
// No overlong forms, no surrogates, nothing above U+10FFFF.
[[nodiscard]] std::size_t utf8_length(std::string_view text, std::size_t at);

struct Character {
  std::uint32_t point = 0;
  std::size_t bytes = 0;  // 0: no valid UTF-8 starts there
};
[[nodiscard]] Character decode_utf8(std::string_view text, std::size_t at = 0);
// `point` is a Unicode scalar value.
void append_utf8(std::string& out, std::uint32_t point);

// C0, DEL and C1. Terminals obey them.
[[nodiscard]] constexpr bool is_control(std::uint32_t point) {
  return point < 0x20 || (point >= 0x7F && point <= 0x9F);
}

// Characters that change how the text around them is read, or that nobody sees: marks of direction
// (Trojan Source), line and paragraph separators, zero-width and invisible characters, the byte order
// mark, annotations, tags.
[[nodiscard]] constexpr bool is_deceiving(std::uint32_t point) {
  return point == 0x00AD || point == 0x061C || point == 0x180E || (point >= 0x200B && point <= 0x200F) ||
         (point >= 0x2028 && point <= 0x202E) || (point >= 0x2060 && point <= 0x206F) || point == 0xFEFF ||
         (point >= 0xFFF9 && point <= 0xFFFB) || (point >= 0xE0000 && point <= 0xE007F);
}

// Each byte that is not UTF-8 becomes U+FFFD.
void append_valid_utf8(std::string& out, std::string_view text);

// For a terminal or a log: control and deceiving characters and bytes that are not UTF-8 are written as
// "\x1b", "\u202e", "\xff". No log and no file name may move a reader's cursor. A newline is kept when
// `keep_newlines`: for our own sentences that carry a caret line.
[[nodiscard]] std::string visible(std::string_view text, bool keep_newlines = false);

// For a key or a column: at most `max_bytes`, cut between characters. Control and deceiving characters
// and bytes that are not UTF-8 (MySQL refuses them) become '?'.
[[nodiscard]] std::string clean_text(std::string_view text, std::size_t max_bytes);

}  // namespace weir
