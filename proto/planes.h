// Numbers as byte planes, as defined in proto/weir.proto: first the lowest byte of every number, then the
// next byte of every number, and so on. Bytes of the same significance are adjacent, so they compress better
// than varints, and encoding and decoding are loops without branches. Pure.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace weir {

// Number of planes that the largest number needs, at least one.
template <class T>
[[nodiscard]] std::size_t planes_of(std::span<const T> numbers) {
  T all = 0;
  for (const T number : numbers) all |= number;
  return all == 0 ? 1 : (static_cast<std::size_t>(std::bit_width(all)) + 7) / 8;
}

// Writes to `to`, which must have room for numbers.size() * planes bytes.
template <class T>
void write_planes(char* to, std::span<const T> numbers, std::size_t planes) {
  for (std::size_t plane = 0; plane < planes; ++plane, to += numbers.size()) {
    for (std::size_t i = 0; i < numbers.size(); ++i) to[i] = static_cast<char>(numbers[i] >> (8 * plane));
  }
}

// `from` must have out.size() * planes bytes, with planes <= sizeof(T).
template <class T>
void read_planes(const char* from, std::size_t planes, std::span<T> out) {
  const auto byte = [&](std::size_t i) { return static_cast<T>(static_cast<unsigned char>(from[i])); };
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = byte(i);
  for (std::size_t plane = 1; plane < planes; ++plane) {
    from += out.size();
    for (std::size_t i = 0; i < out.size(); ++i) out[i] |= static_cast<T>(byte(i) << (8 * plane));
  }
}

// Zigzag as in protocol buffers: small for numbers near zero, positive or negative.
[[nodiscard]] constexpr std::uint64_t zigzag(std::uint64_t difference) {
  return difference << 1 ^ (0 - (difference >> 63));
}
[[nodiscard]] constexpr std::uint64_t unzigzag(std::uint64_t code) { return code >> 1 ^ (0 - (code & 1)); }

}  // namespace weir
