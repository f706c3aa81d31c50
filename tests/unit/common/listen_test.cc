#include "common/listen.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Listen, ReadsEachFormOfAnAddress) {
  const struct {
    const char* text;
    ListenAddress address;
  } kGood[] = {{"127.0.0.1:9601", {"127.0.0.1", 9601}},
               {"[::1]:18940", {"::1", 18940}},
               {"[::]:80", {"::", 80}},
               {":18941", {"0.0.0.0", 18941}},
               {"localhost:0", {"localhost", 0}}};
  for (const auto& row : kGood) {
    const auto read = parse_listen(row.text);
    ASSERT_TRUE(read.has_value()) << row.text;
    EXPECT_EQ(*read, row.address) << row.text;
  }
  for (const char* wrong : {"", "9601", "host", "host:", "::1:9601", "[::1]", "[::1]9601", "[]:1", "[::1:1",
                            "host:65536", "host:-1", "host:1x", "a b:1", "a/b:1", "a]b:1", "h:1:2"})
    EXPECT_FALSE(parse_listen(wrong).has_value()) << wrong;
}

TEST(Listen, IsWrittenAsItIsRead) {
  for (const char* text : {"127.0.0.1:9601", "[::1]:18940", "0.0.0.0:80"})
    EXPECT_EQ(parse_listen(text).value().text(), text);
  EXPECT_EQ(parse_listen(":80").value().reachable_text(), "127.0.0.1:80");
  EXPECT_EQ(parse_listen("[::]:80").value().reachable_text(), "[::1]:80");
}

}  // namespace
}  // namespace weir
