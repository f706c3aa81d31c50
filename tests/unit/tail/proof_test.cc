#include "agent/tail/proof.h"

#include <gtest/gtest.h>

#include "proto/source_id.h"
#include "tests/unit/gzip.h"
#include "tests/unit/temp_folder.h"

namespace weir {
namespace {

using testing::gzip;
using testing::TempFolder;

TEST(FirstDataLine, IsTheIdentityOnceItIsWhole) {
  const TempFolder folder;
  const struct {
    std::string name, bytes, expected;
  } cases[] = {
      {"empty", "", ""},
      {"partial", "half a li", ""},
      {"whole", "one\ntwo\n", "one"},
      {"header", "#Version: 1.0\n#Fields: a\nrow\n", "row"},
      {"only header", "#Version: 1.0\n", ""},
      {"blank first", "\n\nrow\n", "row"},
      {"behind the first read", "#" + std::string(kFirstLineHashBytes, 'c') + "\nrow\n", "row"},
      {"over the end of the first read", "#" + std::string(kFirstLineHashBytes - 4, 'c') + "\nrow\n", "row"},
      {"no end in 64 KiB", "#" + std::string((64 << 10) - 10, 'c') + "\nrow that goes on", ""},
      {"not whole", "#c\nro", ""},
      {"long", std::string(kFirstLineHashBytes + 100, 'x'), std::string(kFirstLineHashBytes, 'x')},
      {"one.gz", gzip("no newline"), "no newline"},
  };
  for (const auto& [name, bytes, expected] : cases) {
    const auto content = Content::open(folder.write(name, bytes));
    EXPECT_EQ(first_data_line(**content).value(), expected) << name;
  }
}

TEST(TailHash, TellsWhetherTheBytesBeforeAnOffsetAreTheSame) {
  const TempFolder folder;
  const std::string text(5000, 'a');
  const auto a = std::move(*Content::open(folder.write("a", text)));
  const auto b = std::move(*Content::open(folder.write("b", text + "more")));
  const auto c = std::move(*Content::open(folder.write("c", text.substr(1) + "b")));
  EXPECT_EQ(tail_hash(*a, 5000).value(), tail_hash(*b, 5000).value());
  EXPECT_NE(tail_hash(*a, 5000).value(), tail_hash(*c, 5000).value());
  EXPECT_EQ(tail_hash(*a, 5001).value(), "");
  EXPECT_NE(tail_hash(*a, 0).value(), "");
}

}  // namespace
}  // namespace weir
