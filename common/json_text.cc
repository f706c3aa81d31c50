#include "common/json_text.h"

#include <algorithm>
#include <array>
#include <cstdint>

#include "common/text.h"

namespace weir {
namespace {

// Characters that a JSON string may contain unescaped: printable ASCII except '"' and '\'.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (std::size_t c = 0x20; c < 0x7F; ++c) plain[c] = c != '"' && c != '\\';
  return plain;
}();

std::uint8_t byte_at(std::string_view text, std::size_t at) { return static_cast<std::uint8_t>(text[at]); }

void append_unit(std::string& out, std::uint32_t unit) {
  constexpr std::string_view kHex = "0123456789abcdef";
  out += "\\u";
  for (int shift = 12; shift >= 0; shift -= 4)
    out.push_back(kHex[unit >> static_cast<unsigned>(shift) & 15U]);
}

void append_escape(std::string& out, std::uint32_t point) {
  if (point < 0x10000) return append_unit(out, point);
  append_unit(out, 0xD800 + ((point - 0x10000) >> 10U));  // JSON needs a surrogate pair
  append_unit(out, 0xDC00 + ((point - 0x10000) & 0x3FFU));
}

void append_ascii_escape(std::string& out, std::uint8_t c) {
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
      append_unit(out, c);
  }
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out.push_back('"');
  append_json_text(out, text);
  out.push_back('"');
}

std::string json_string(std::string_view text) {
  std::string out;
  out.reserve(text.size() + 2);
  append_json_string(out, text);
  return out;
}

void append_json_text(std::string& out, std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t first = at;
    while (at < text.size() && kPlain[byte_at(text, at)]) ++at;
    out += text.substr(first, at - first);
    if (at == text.size()) break;
    if (byte_at(text, at) < 0x80) {
      append_ascii_escape(out, byte_at(text, at++));
      continue;
    }
    const Character c = decode_utf8(text, at);
    if (c.bytes == 0) {
      out += kReplacementCharacter;
    } else if (is_control(c.point) || is_deceiving(c.point)) {
      append_escape(out, c.point);
    } else {
      out += text.substr(at, c.bytes);
    }
    at += std::max<std::size_t>(c.bytes, 1);
  }
}

void append_shown_json(std::string& out, std::string_view json) {
  for (std::size_t at = 0; at < json.size();) {
    const Character c = decode_utf8(json, at);
    if (c.bytes != 0 && (c.point >= 0x7F && (is_control(c.point) || is_deceiving(c.point)))) {
      append_escape(out, c.point);
    } else {
      out += json.substr(at, std::max<std::size_t>(c.bytes, 1));
    }
    at += std::max<std::size_t>(c.bytes, 1);
  }
}

}  // namespace weir
