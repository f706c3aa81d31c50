#include "agent/format/utf8.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace weir {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Characters that stand in JSON as they are: printable ASCII but '"' and '\'.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x7F; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

std::uint8_t byte_at(std::string_view text, std::size_t at) { return static_cast<std::uint8_t>(text[at]); }

void append_escape(std::string& out, std::uint32_t point) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4)
    out.push_back(kHex[point >> static_cast<unsigned>(shift) & 15U]);
}

// The valid character of `size` bytes at text[at]; 0 for those of one byte and of four.
std::uint32_t point_of(std::string_view text, std::size_t at, std::size_t size) {
  const auto low = [&](std::size_t i) { return byte_at(text, at + i) & 0x3FU; };
  if (size == 2) return (byte_at(text, at) & 0x1FU) << 6U | low(1);
  if (size == 3) return (byte_at(text, at) & 0x0FU) << 12U | low(1) << 6U | low(2);
  return 0;
}

// What moves a terminal's cursor or turns the text around it: the controls U+0080 to U+009F, marks
// of direction, separators of lines, the byte order mark. As visible() has them.
bool misleads(std::uint32_t point) {
  return (point >= 0x80 && point <= 0x9F) || point == 0x061C || point == 0x200E || point == 0x200F ||
         (point >= 0x2028 && point <= 0x202E) || (point >= 0x2066 && point <= 0x2069) || point == 0xFEFF;
}

}  // namespace

std::size_t utf8_length(std::string_view text, std::size_t at) {
  const std::uint8_t lead = byte_at(text, at);
  if (lead < 0x80) return 1;
  std::size_t size = 0;
  std::uint8_t low = 0x80;   // bounds of the second byte: no overlong forms, no surrogates,
  std::uint8_t high = 0xBF;  // nothing above U+10FFFF
  if (lead >= 0xC2 && lead <= 0xDF) {
    size = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    size = 3;
    if (lead == 0xE0) low = 0xA0;
    if (lead == 0xED) high = 0x9F;
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    size = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return 0;
  }
  if (at + size > text.size()) return 0;
  if (byte_at(text, at + 1) < low || byte_at(text, at + 1) > high) return 0;
  for (std::size_t i = 2; i < size; ++i) {
    if ((byte_at(text, at + i) & 0xC0U) != 0x80U) return 0;
  }
  return size;
}

void append_valid_utf8(std::string& out, std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = utf8_length(text, at);
    out += size == 0 ? kReplacement : text.substr(at, size);
    at += size == 0 ? 1 : size;
  }
}

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  append_json_text(out, text);
  out.push_back('"');
}

void append_json_text(std::string& out, std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t first = at;
    while (at < text.size() && kPlain[byte_at(text, at)]) ++at;
    out += text.substr(first, at - first);
    if (at == text.size()) break;
    const std::uint8_t c = byte_at(text, at);
    if (c >= 0x80) {
      const std::size_t size = utf8_length(text, at);
      if (const auto point = point_of(text, at, size); misleads(point)) {
        append_escape(out, point);
      } else {
        out += size == 0 ? kReplacement : text.substr(at, size);
      }
      at += size == 0 ? 1 : size;
      continue;
    }
    ++at;
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        append_escape(out, c);
    }
  }
}

void append_shown_json(std::string& out, std::string_view json) {
  for (std::size_t at = 0; at < json.size();) {
    const auto size = std::max<std::size_t>(utf8_length(json, at), 1);
    const auto point = size == 1 ? byte_at(json, at) : point_of(json, at, size);
    if (point == 0x7F || (size > 1 && misleads(point))) {
      append_escape(out, point);
    } else {
      out += json.substr(at, size);
    }
    at += size;
  }
}

}  // namespace weir
