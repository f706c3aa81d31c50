#include "agent/ship/line_batch.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/unit/follow_file.h"
#include "tests/unit/temp_folder.h"

namespace weir {
namespace {

using testing::Follow;
using testing::line;
using testing::TempFolder;

// Incompressible lines without repetitions.
std::string noise(std::size_t lines, std::size_t path_bytes) {
  std::mt19937_64 random(lines);
  std::string out;
  for (std::size_t i = 0; i < lines; ++i) {
    std::string path;
    while (path.size() < path_bytes) path += fmt::format("{:016x}", random());
    out += fmt::format(
        "192.0.2.{} - - [24/Nov/2026:10:00:00 +0000] \"GET /{} HTTP/1.1\" 200 {} \"-\" \"{:x}\"\n",
        random() % 250, path, random() % 1'000'000'000, random());
  }
  return out;
}

TEST(LineBatch, EndsBeforeItsMessageCouldBeTooLarge) {
  for (const std::size_t path_bytes : {8U, 100U, 5000U}) {
    const auto parser = compile_format(named_format("combined").value(), {}).value();
    const auto text = noise((4 << 20) / (path_bytes + 100), path_bytes);
    for (const std::uint64_t limit : {100'000U, 1'000'000U}) {
      LineBatch batch(1);
      EncoderOptions options;
      options.max_message_bytes = limit;
      batch.begin(*parser, {Codec::kBatch}, options);
      const auto used = batch.add_lines(text, text.size(), 1 << 20);
      ASSERT_LT(used, text.size());
      EXPECT_TRUE(batch.full());
      BatchHeader header;
      header.source = make_source_id("a", "b", "c");
      header.range = {0, batch.content_bytes()};
      const auto message = batch.finish(Codec::kBatch, header).value();
      EXPECT_LE(message.size(), limit);
      EXPECT_GE(decode_batch(message).value().buffer_->size(), limit * 6 / 10) << "it is not far from it";
      // Once more from the same line: it must end at the same place.
      batch.begin(*parser, {Codec::kBatch}, options);
      EXPECT_EQ(batch.add_lines(text, text.size(), 1 << 20), used);
    }
    LineBatch batch(1);
    batch.begin(*parser, {Codec::kBatch});
    EXPECT_EQ(batch.add_lines(text, text.size(), 1 << 20), text.size()) << "without a limit";
  }
}

TEST(LineBatch, TheTextCodecsCarryEveryLineOnce) {
  const TempFolder folder;
  const auto path = folder.write("a.log", line(1) + "no log line\n" + std::string(500, 'x') + "\n");
  for (const auto codec : {Codec::kJson, Codec::kRaw}) {
    Follow follow(path, 0, 200);
    follow.batch.begin(*follow.parser, {codec});
    ASSERT_TRUE(follow.reader.fill(follow.batch, 1 << 20, *follow.parser).has_value());
    const auto text = follow.batch.finish(codec, {});
    ASSERT_TRUE(text.has_value());
    EXPECT_EQ(std::count(text->begin(), text->end(), '\n'), 3);
    EXPECT_EQ(follow.batch.counts().lines, 3U);
    EXPECT_EQ(follow.batch.counts().unparsed, 2U);
    if (codec == Codec::kRaw) {
      EXPECT_TRUE(text->starts_with(line(1) + "no log line\n"));
    }
  }
}

}  // namespace
}  // namespace weir
