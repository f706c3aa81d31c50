// Untrusted text: one UTF-8 decoder and one set of characters that can deceive a reader. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

inline constexpr std::string_view kReplacementCharacter = "\xEF\xBF\xBD";  // U+FFFD

// Length of the valid UTF-8 character that starts at text[at], or 0 if there is none. `at` must be below
// text.size(). Rejects overlong forms, surrogates and anything above U+10FFFF.
[[nodiscard]] std::size_t utf8_length(std::string_view text, std::size_t at);

struct Character {
  std::uint32_t point = 0;
  std::size_t bytes = 0;  // 0: no valid UTF-8 character
};
[[nodiscard]] Character decode_utf8(std::string_view text, std::size_t at = 0);
// `point` is a Unicode scalar value.
void append_utf8(std::string& out, std::uint32_t point);

// C0, DEL and C1: terminals act on them.
[[nodiscard]] constexpr bool is_control(std::uint32_t point) {
  return point < 0x20 || (point >= 0x7F && point <= 0x9F);
}

// Characters that are invisible or change how the surrounding text is read: direction marks (Trojan Source),
// line and paragraph separators, zero-width characters, the byte order mark, annotations, tags.
[[nodiscard]] constexpr bool is_deceiving(std::uint32_t point) {
  return point == 0x00AD || point == 0x061C || point == 0x180E || (point >= 0x200B && point <= 0x200F) ||
         (point >= 0x2028 && point <= 0x202E) || (point >= 0x2060 && point <= 0x206F) || point == 0xFEFF ||
         (point >= 0xFFF9 && point <= 0xFFFB) || (point >= 0xE0000 && point <= 0xE007F);
}

// Replaces each byte that is not UTF-8 by U+FFFD.
void append_valid_utf8(std::string& out, std::string_view text);

// For terminals and logs: writes control characters, deceiving characters and bytes that are not UTF-8 as
// "\x1b", "\u202e", "\xff", so that no log line or file name can move the cursor. With `keep_newlines`,
// newlines stay: for our own sentences that include a caret line.
[[nodiscard]] std::string visible(std::string_view text, bool keep_newlines = false);

// For keys and columns: at most `max_bytes`, cut between characters. Control characters, deceiving characters
// and bytes that are not UTF-8 (MySQL refuses them) become '?'.
[[nodiscard]] std::string clean_text(std::string_view text, std::size_t max_bytes);

}  // namespace weir
