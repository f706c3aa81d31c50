#include "agent/format/find_byte.h"

#include <gtest/gtest.h>

#include <string>

namespace weir {
namespace {

TEST(FindByte, FindsTheFirstAtEachPlaceOfEachLength) {
  for (std::size_t size = 0; size < 50; ++size) {
    std::string text(size, 'x');
    const auto at = [&] {
      return static_cast<std::size_t>(find_byte(text.data(), text.data() + size, '"') - text.data());
    };
    EXPECT_EQ(at(), size);
    for (std::size_t place = size; place-- > 0;) {
      text[place] = '"';
      EXPECT_EQ(at(), place) << size;
    }
  }
}

TEST(FindByte, SeesRareBytesAtEachPlace) {
  for (std::size_t size = 1; size < 50; ++size) {
    for (std::size_t place = 0; place < size; ++place) {
      std::string text(size, 'x');
      const auto rare = [&] { return rare_bytes(text.data(), text.data() + size); };
      EXPECT_FALSE(rare().nul || rare().backslash);
      text[place] = '\0';
      EXPECT_TRUE(rare().nul && !rare().backslash);
      text[place] = '\\';
      EXPECT_TRUE(!rare().nul && rare().backslash);
    }
  }
}

}  // namespace
}  // namespace weir
