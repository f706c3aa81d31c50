#include "agent/format/line_index.h"

#include <gtest/gtest.h>

#include <memory>
#include <random>
#include <string>

namespace weir {
namespace {

using Bits = std::array<LineIndex::Words, LineIndex::kSlots>;
constexpr std::array<char, LineIndex::kSlots> kWanted{'"', ' '};

// Few distinct bytes, so that each is frequent, and bytes above 0x7F.
std::string random_line(std::mt19937& random, std::size_t size, std::string_view bytes) {
  std::string line(size, 'x');
  for (char& c : line) c = bytes[random() % bytes.size()];
  return line;
}

TEST(LineIndex, EachReaderSeesWhatThePlainOneSees) {
  std::mt19937 random(1);
  const std::string_view alphabets[] = {
      {"\" x\\\0\xA2\xFF", 7}, "\" x\x7F", "\" abcdefghijklmnopqrstuvwxyz\xDC", "xy"};
  for (std::size_t size = LineIndex::kMinBytes; size <= 400; ++size) {
    for (const auto alphabet : alphabets) {
      const auto line = random_line(random, size, alphabet);
      // Exactly the line's size, so that the address sanitizer catches reads beyond it.
      const auto copy = std::make_unique<char[]>(size);
      std::copy(line.begin(), line.end(), copy.get());
      const std::size_t words = (size + LineIndex::kBlock - 1) / LineIndex::kBlock;
      Bits expected{};
      RareBytes rare;
      for (const auto& [name, reader] : line_readers()) {
        if (reader == nullptr) continue;  // not supported by this processor
        Bits bits{};
        for (auto& slot : bits) slot.fill(0xABCD);
        const auto got = reader(copy.get(), size, kWanted, bits);
        if (std::string_view(name) == "plain") {
          expected = bits;
          rare = got;
        }
        EXPECT_EQ(bits, expected) << name << ' ' << size;
        EXPECT_EQ(got.nul, rare.nul) << name << ' ' << size;
        EXPECT_EQ(got.backslash, rare.backslash) << name << ' ' << size;
        for (const auto& slot : bits) EXPECT_EQ(slot[words], 0xABCDU) << name << " writes no other words";
      }
      EXPECT_EQ(rare.nul, line.find('\0') != std::string::npos);
      EXPECT_EQ(rare.backslash, line.find('\\') != std::string::npos);
    }
  }
}

TEST(LineIndex, FindsTheNextOfEachByteFromEachPlace) {
  std::mt19937 random(2);
  LineIndex index(kWanted);
  for (const std::size_t size : {64, 65, 127, 128, 129, 200, 285, 1000, 4095, 4096}) {
    for (const std::string_view alphabet :
         {"\" xyz", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" ", "x"}) {
      const auto line = random_line(random, size, alphabet);
      ASSERT_TRUE(LineIndex::fits(size));
      index.read(line);
      for (std::size_t from = 0; from < size + LineIndex::kAhead; ++from) {
        for (std::size_t slot = 0; slot < kWanted.size(); ++slot)
          ASSERT_EQ(index.next(index.words(slot).data(), from), line.find(kWanted[slot], from))
              << size << ' ' << from;
      }
    }
  }
  EXPECT_FALSE(LineIndex::fits(LineIndex::kMinBytes - 1));
  EXPECT_FALSE(LineIndex::fits(LineIndex::kMaxBytes + 1));
}

}  // namespace
}  // namespace weir
