// Base-128 varints as in protocol buffers. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

inline constexpr std::size_t kMaxVarintBytes = 10;

// Writes to `to`, which must have room for kMaxVarintBytes. Returns the end.
inline char* write_varint(char* to, std::uint64_t value) {
  while (value >= 0x80) {
    *to++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *to++ = static_cast<char>(value);
  return to;
}

inline void append_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
}

// Takes one varint from the front of `in`. Returns false when it is truncated or longer than 64 bits; `in` is
// then partly consumed.
[[nodiscard]] inline bool take_varint(std::string_view& in, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(in.front());
    in.remove_prefix(1);
    if (shift == 63 && byte > 1) return false;
    value |= static_cast<std::uint64_t>(byte & 0x7FU) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

}  // namespace weir
