// The positions of two bytes in a line, as bitmaps. One pass over the line records every occurrence of the
// bytes that a format's literals are searched by. Finding the end of a value is then a shift and a count of
// zeros. simdjson's first stage does the same for JSON (Langdale, Lemire: Parsing Gigabytes of JSON per
// Second).
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "agent/format/find_byte.h"

namespace weir {

class LineIndex {
 public:
  static constexpr std::size_t kBlock = 64;  // bytes of the line per word of the bitmap
  // Lines of other sizes are left to find_byte(). Shorter lines cannot be read in whole blocks without
  // reading past their end, and longer lines are too rare to be worth the memory.
  static constexpr std::size_t kMinBytes = kBlock, kMaxBytes = 4096;
  static constexpr std::size_t kSlots = 2;
  // A literal is searched for by one of its first kAhead bytes.
  static constexpr std::size_t kAhead = 8;
  // Bit i of word j is set if byte 64 j + i of the line is the wanted one. Two zero words follow the line's
  // words, so next() need not check the line's size.
  using Words = std::array<std::uint64_t, kMaxBytes / kBlock + 2>;
  // Fills the words of `line`, except for the two zero words. kMinBytes <= size <= kMaxBytes. Reads nothing
  // beyond `line`.
  using Reader = RareBytes (*)(const char* line, std::size_t size, const std::array<char, kSlots>& wanted,
                               std::array<Words, kSlots>& bits);

  // Uses the reader that is fastest on this processor. `wanted`: one byte for each slot.
  explicit LineIndex(const std::array<char, kSlots>& wanted);

  [[nodiscard]] static bool fits(std::size_t line_bytes) {
    return line_bytes >= kMinBytes && line_bytes <= kMaxBytes;
  }
  // `line` must have a size that the index takes. Keeps no view of it.
  RareBytes read(std::string_view line) {
    words_ = (line.size() + kBlock - 1) / kBlock;
    for (Words& words : bits_) words[words_] = words[words_ + 1] = 0;
    return reader_(line.data(), line.size(), wanted_, bits_);
  }
  // Valid as long as the index. Describes the last line read.
  [[nodiscard]] const Words& words(std::size_t slot) const { return bits_[slot]; }
  // The first wanted byte at or after `from`, according to `words`; npos if there is none. `from` must be
  // less than the line's size + kAhead.
  [[nodiscard]] std::size_t next(const std::uint64_t* words, std::size_t from) const {
    // Loads at least 57 bits, starting at the byte that holds bit `from` and crossing word boundaries. No
    // branch depends on where a line's values begin.
    if constexpr (std::endian::native == std::endian::little) {
      std::uint64_t near = 0;
      std::memcpy(&near, reinterpret_cast<const char*>(words) + from / 8, sizeof near);
      near >>= from % 8;
      if (near != 0) return from + static_cast<unsigned>(std::countr_zero(near));
    }
    std::size_t at = from / kBlock;
    if (const auto rest = words[at] >> from % kBlock; rest != 0)
      return from + static_cast<unsigned>(std::countr_zero(rest));
    do {
      if (++at >= words_) return std::string_view::npos;
    } while (words[at] == 0);
    return at * kBlock + static_cast<unsigned>(std::countr_zero(words[at]));
  }

 private:
  Reader reader_;
  std::array<char, kSlots> wanted_;
  std::size_t words_ = 0;  // words that the line takes
  std::array<Words, kSlots> bits_{};
};

// All readers, from the slowest and simplest to the fastest, for the test that compares them.
struct NamedReader {
  const char* name;
  LineIndex::Reader reader;  // nullptr: this processor cannot run it
};
[[nodiscard]] std::array<NamedReader, 4> line_readers();

}  // namespace weir
