#include "common/visible.h"

#include <fmt/format.h>

#include <cstdint>
#include <iterator>

namespace weir {
namespace {

struct Decoded {
  std::uint32_t point = 0;
  std::size_t bytes = 0;  // 0: not UTF-8
};

Decoded decode_utf8(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return {first, 1};
  std::size_t length = 0;
  std::uint32_t point = 0;
  std::uint32_t smallest = 0;
  if (first >= 0xc2 && first <= 0xdf) {
    length = 2, point = first & 0x1fU, smallest = 0x80;
  } else if (first >= 0xe0 && first <= 0xef) {
    length = 3, point = first & 0x0fU, smallest = 0x800;
  } else if (first >= 0xf0 && first <= 0xf4) {
    length = 4, point = first & 0x07U, smallest = 0x10000;
  }
  if (length == 0 || text.size() < length) return {};
  for (std::size_t i = 1; i < length; ++i) {
    const auto next = static_cast<unsigned char>(text[i]);
    if ((next & 0xc0U) != 0x80U) return {};
    point = (point << 6U) | (next & 0x3fU);
  }
  if (point < smallest || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) return {};
  return {point, length};
}

// What changes how the text around it is shown: directions, line separators, the byte order mark.
bool reorders(std::uint32_t point) {
  return point == 0x061c || point == 0x200e || point == 0x200f || (point >= 0x2028 && point <= 0x202e) ||
         (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

}  // namespace

std::string visible(std::string_view text, bool keep_newlines) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Decoded decoded = decode_utf8(text);
    const std::size_t bytes = decoded.bytes == 0 ? 1 : decoded.bytes;
    if (decoded.bytes == 0) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<unsigned char>(text[0]));
    } else if (decoded.point == '\n' && keep_newlines) {
      out += '\n';
    } else if (decoded.point < 0x20 || (decoded.point >= 0x7f && decoded.point <= 0x9f)) {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}", decoded.point);
    } else if (reorders(decoded.point)) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", decoded.point);
    } else {
      out.append(text.substr(0, bytes));
    }
    text.remove_prefix(bytes);
  }
  return out;
}

}  // namespace weir
