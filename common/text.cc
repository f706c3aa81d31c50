#include "common/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace weir {
namespace {

std::uint8_t byte_at(std::string_view text, std::size_t at) { return static_cast<std::uint8_t>(text[at]); }

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

Character decode_utf8(std::string_view text, std::size_t at) {
  const std::size_t size = utf8_length(text, at);
  const auto low = [&](std::size_t i) { return byte_at(text, at + i) & 0x3FU; };
  switch (size) {
    case 1:
      return {byte_at(text, at), 1};
    case 2:
      return {(byte_at(text, at) & 0x1FU) << 6U | low(1), 2};
    case 3:
      return {(byte_at(text, at) & 0x0FU) << 12U | low(1) << 6U | low(2), 3};
    case 4:
      return {(byte_at(text, at) & 0x07U) << 18U | low(1) << 12U | low(2) << 6U | low(3), 4};
    default:
      return {};
  }
}

void append_utf8(std::string& out, std::uint32_t point) {
  const auto rest = [&](unsigned shift) {
    out.push_back(static_cast<char>(0x80U | (point >> shift & 0x3FU)));
  };
  if (point < 0x80) {
    out.push_back(static_cast<char>(point));
  } else if (point < 0x800) {
    out.push_back(static_cast<char>(0xC0U | point >> 6U));
    rest(0);
  } else if (point < 0x10000) {
    out.push_back(static_cast<char>(0xE0U | point >> 12U));
    rest(6);
    rest(0);
  } else {
    out.push_back(static_cast<char>(0xF0U | point >> 18U));
    rest(12);
    rest(6);
    rest(0);
  }
}

void append_valid_utf8(std::string& out, std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t size = utf8_length(text, at);
    out += size == 0 ? kReplacementCharacter : text.substr(at, size);
    at += size == 0 ? 1 : size;
  }
}

std::string visible(std::string_view text, bool keep_newlines) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const Character c = decode_utf8(text, at);
    if (c.bytes == 0) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", byte_at(text, at));
    } else if (is_control(c.point) && !(c.point == '\n' && keep_newlines)) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", c.point);
    } else if (is_deceiving(c.point)) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", c.point);
    } else {
      out += text.substr(at, c.bytes);
    }
    at += std::max<std::size_t>(c.bytes, 1);
  }
  return out;
}

std::string clean_text(std::string_view text, std::size_t max_bytes) {
  std::string out;
  out.reserve(std::min(text.size(), max_bytes));
  for (std::size_t at = 0; at < text.size();) {
    const Character c = decode_utf8(text, at);
    const bool kept = c.bytes != 0 && !is_control(c.point) && !is_deceiving(c.point);
    if (out.size() + (kept ? c.bytes : 1) > max_bytes) break;
    out += kept ? text.substr(at, c.bytes) : "?";
    at += std::max<std::size_t>(c.bytes, 1);
  }
  return out;
}

}  // namespace weir
