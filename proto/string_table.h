// The distinct strings of a column in order of first use. Open addressing over one byte buffer: interning a
// known string does not allocate.
#pragma once

// Inline: for most strings a call would cost more than the work.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

class StringTable {
 public:
  [[nodiscard]] static std::uint32_t hash_of(std::string_view text) {
    return static_cast<std::uint32_t>(XXH3_64bits(text.data(), text.size()));
  }

  // Keeps its memory, unless an unusual batch made it large.
  void clear() {
    if (slots_.size() > kKeepSlots) slots_ = {};
    if (bytes_.capacity() > kKeepBytes) bytes_ = {};
    std::fill(slots_.begin(), slots_.end(), Slot{});
    entries_.clear();
    bytes_.clear();
  }

  // Prefetches the slot for that hash, so that it is in the cache when intern() is called.
  void prefetch(std::uint32_t hash) const {
    if (!slots_.empty()) __builtin_prefetch(&slots_[hash & mask()]);
  }

  // Returns an index, starting at 1. An index above the previous size() means that the string is new.
  std::uint32_t intern(std::string_view text, std::uint32_t hash) {
    if ((entries_.size() + 1) * 2 > slots_.size()) grow();
    for (auto at = hash & mask();; at = (at + 1) & mask()) {
      auto& slot = slots_[at];
      if (slot.index == 0) {
        entries_.push_back(
            {static_cast<std::uint32_t>(bytes_.size()), static_cast<std::uint32_t>(text.size())});
        bytes_.append(text);
        slot = {hash, static_cast<std::uint32_t>(entries_.size())};
        return slot.index;
      }
      if (slot.hash == hash && is(slot.index, text)) return slot.index;
    }
  }
  // Whether the string at that index equals `text`.
  [[nodiscard]] bool is(std::uint32_t index, std::string_view text) const {
    const auto& entry = entries_[index - 1];
    return entry.size == text.size() && same_bytes(bytes_.data() + entry.begin, text.data(), text.size());
  }

  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  // All strings, concatenated.
  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  // `index` starts at 0.
  [[nodiscard]] std::string_view at(std::size_t i) const {
    return std::string_view(bytes_).substr(entries_[i].begin, entries_[i].size);
  }

 private:
  static constexpr std::size_t kKeepSlots = 1 << 16;
  static constexpr std::size_t kKeepBytes = 1 << 20;

  struct Entry {
    std::uint32_t begin, size;
  };
  // The hash is stored beside the index, so that most other strings are rejected without reading them.
  struct Slot {
    std::uint32_t hash = 0, index = 0;
  };

  static std::uint64_t word_at(const char* at) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, sizeof word);
    return word;
  }
  // memcmp() == 0 without the call: most strings of a log are only a few words long. Compares the last word
  // first: user agents and paths share their beginnings.
  static bool same_bytes(const char* a, const char* b, std::size_t size) {
    if (size < sizeof(std::uint64_t)) {
      for (std::size_t i = 0; i < size; ++i) {
        if (a[i] != b[i]) return false;
      }
      return true;
    }
    const auto last = size - sizeof(std::uint64_t);
    if (word_at(a + last) != word_at(b + last)) return false;
    for (std::size_t at = 0; at < last; at += sizeof(std::uint64_t)) {
      if (word_at(a + at) != word_at(b + at)) return false;
    }
    return true;
  }

  [[nodiscard]] std::uint32_t mask() const { return static_cast<std::uint32_t>(slots_.size() - 1); }
  void grow() {
    std::vector<Slot> before(std::max<std::size_t>(32, slots_.size() * 2));
    before.swap(slots_);
    for (const auto& slot : before) {
      if (slot.index == 0) continue;
      auto at = slot.hash & mask();
      while (slots_[at].index != 0) at = (at + 1) & mask();
      slots_[at] = slot;
    }
  }

  std::vector<Slot> slots_;
  std::vector<Entry> entries_;
  std::string bytes_;
};

}  // namespace weir
