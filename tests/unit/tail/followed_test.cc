#include "agent/tail/followed.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/gzip.h"
#include "tests/unit/tail/counting_files.h"
#include "tests/unit/temp_folder.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using testing::gzip;
using testing::TempFolder;

std::string line(int n) {
  return "192.0.2.1 - - [24/Nov/2026:10:00:00 +0000] \"GET /" + std::to_string(n) +
         " HTTP/1.1\" 200 10 \"-\" \"-\"\n";
}

// A file, its reader and the batch that the engine would send.
struct Follow {
  explicit Follow(const std::string& path, std::uint64_t offset = 0, std::uint64_t max_line = 1 << 20,
                  const char* format = "combined", Codec codec = Codec::kBatch)
      : parser(std::move(*compile_format(*named_format(format), {}))),
        content(std::move(*Content::open(path, files))),
        reader(content, offset, {}, max_line),
        batch(codec, 1) {}

  DecodedBatch next(std::uint64_t limit_bytes = 1 << 20) {
    const auto begin = reader.offset();
    batch.begin(*parser);
    EXPECT_TRUE(reader.fill(batch, limit_bytes, *parser).has_value());
    BatchHeader header;
    header.source = make_source_id("web1", "a.log", "first");
    header.agent_id = "web1";
    header.range = {begin, reader.offset()};
    const auto message = batch.finish(header);
    EXPECT_TRUE(message.has_value());
    bytes = *message;
    auto decoded = decode_batch(bytes);
    EXPECT_TRUE(decoded.has_value()) << (decoded ? "" : decoded.error().what);
    return decoded ? std::move(*decoded) : DecodedBatch{};
  }

  CountingFiles files;
  std::unique_ptr<LineParser> parser;
  std::shared_ptr<Content> content;
  LineReader reader;
  LineBatch batch;
  std::string bytes;
};

TEST(LineReader, TheLastLineWaitsForItsEnd) {
  const TempFolder folder;
  Follow follow(folder.write("a.log", line(1) + line(2).substr(0, 30)));
  EXPECT_EQ(follow.next().columns.records(), 1U);
  EXPECT_TRUE(follow.reader.at_end());
  EXPECT_EQ(follow.reader.offset(), line(1).size());
  EXPECT_EQ(follow.next().columns.records(), 0U);
  folder.append("a.log", line(2).substr(30) + line(3));
  EXPECT_EQ(follow.next().columns.records(), 2U);
  EXPECT_EQ(follow.reader.offset(), line(1).size() * 3);
}

TEST(LineReader, StopsAtTheLimitAndGoesOnFromThere) {
  const TempFolder folder;
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += line(i);
  Follow follow(folder.write("a.log", text));
  std::size_t records = 0;
  std::size_t batches = 0;
  while (follow.reader.offset() < text.size()) {
    const auto decoded = follow.next(50'000);
    EXPECT_LT(decoded.header.range.size(), 50'000U + 200);
    records += decoded.columns.records();
    ++batches;
  }
  EXPECT_EQ(records, 10'000U);
  EXPECT_GE(batches, text.size() / 50'200);
}

// Ten thousand files that are behind wait for their turns: none may keep a block of what it has.
TEST(LineReader, BetweenTwoBatchesNothingIsHeldAndLittleIsReadTwice) {
  const TempFolder folder;
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += line(i);
  for (const std::uint64_t limit_bytes : {20'000U, 300'000U}) {
    Follow follow(folder.write("a.log", text));
    std::size_t batches = 0;
    for (; follow.reader.offset() < text.size(); ++batches) {
      std::ignore = follow.next(limit_bytes);
      EXPECT_EQ(follow.reader.position(), follow.reader.offset());
    }
    // A proof of the bytes before each batch, twice, and the end of its last line.
    EXPECT_LT(follow.files.read_bytes, text.size() + batches * (4096 + 2048));
  }
}

// Its beginning is searched again with each block: blocks of the least size would take minutes.
TEST(LineReader, ALineOfMegabytesBehindASmallLimitIsReadInLargeBlocks) {
  const TempFolder folder;
  Follow follow(folder.write("a.log", line(1) + std::string(8 << 20, 'x') + "\n" + line(2)), 0, 16 << 20);
  std::ignore = follow.next(10);
  const auto before = follow.files.reads;
  std::ignore = follow.next(10);
  EXPECT_EQ(follow.reader.offset(), line(1).size() + (8 << 20) + 1);
  EXPECT_LT(follow.files.reads - before, 100U);
}

// Nothing of these lines compresses, and nothing comes twice.
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
      LineBatch batch(Codec::kBatch, 1);
      Contents contents;
      contents.max_message_bytes = limit;
      batch.begin(*parser, contents);
      const auto used = batch.add_lines(text, text.size(), 1 << 20, *parser);
      ASSERT_LT(used, text.size());
      EXPECT_TRUE(batch.full());
      BatchHeader header;
      header.source = make_source_id("a", "b", "c");
      header.range = {0, batch.content_bytes()};
      const auto message = batch.finish(header).value();
      EXPECT_LE(message.size(), limit);
      EXPECT_GE(decode_batch(message).value().buffer_->size(), limit * 6 / 10) << "it is not far from it";
      // Once more, from the same line: the same end.
      batch.begin(*parser, contents);
      EXPECT_EQ(batch.add_lines(text, text.size(), 1 << 20, *parser), used);
    }
    LineBatch batch(Codec::kBatch, 1);
    batch.begin(*parser, {});
    EXPECT_EQ(batch.add_lines(text, text.size(), 1 << 20, *parser), text.size()) << "without a limit";
  }
}

TEST(LineReader, AfterARewindTheSameLinesComeAgain) {
  const TempFolder folder;
  Follow follow(folder.write("a.log", line(1) + line(2) + line(3).substr(0, 9)));
  EXPECT_EQ(follow.next().columns.records(), 2U);
  follow.reader.rewind(line(1).size(), {});
  const auto again = follow.next();
  EXPECT_EQ(again.columns.records(), 1U);
  EXPECT_EQ(again.header.range.begin, line(1).size());
}

TEST(LineReader, ALineOverTheLimitIsCutMarkedAndCountedWithAllItsBytes) {
  const TempFolder folder;
  constexpr std::size_t kLong = 3'000'000;
  for (const std::size_t max_line : {1000U, 400'000U}) {
    Follow follow(folder.write("a.log", line(1) + std::string(kLong, 'x') + "\n" + line(2)), 0, max_line);
    const auto decoded = follow.next(8 << 20);
    EXPECT_EQ(decoded.columns.records(), 2U);
    ASSERT_EQ(decoded.columns.unparsed.size(), 1U);
    EXPECT_EQ(decoded.columns.unparsed[0].reason, Unparsed::kTooLong);
    EXPECT_EQ(decoded.columns.unparsed[0].line, 1U);
    EXPECT_EQ(decoded.columns.line_bytes[1], kLong + 1);
    EXPECT_EQ(follow.batch.counts().truncated, 1U);
    EXPECT_EQ(follow.reader.offset(), line(1).size() * 2 + kLong + 1);
  }
}

TEST(LineReader, ALongLineWhoseEndIsStillToComeWaits) {
  const TempFolder folder;
  Follow follow(folder.write("a.log", std::string(900'000, 'x')), 0, 1000);
  EXPECT_EQ(follow.next().columns.line_bytes.size(), 0U);
  EXPECT_EQ(follow.reader.offset(), 0U);
  EXPECT_EQ(follow.reader.position(), 900'000U);
  folder.append("a.log", "y\n" + line(1));
  const auto decoded = follow.next(8 << 20);
  EXPECT_THAT(decoded.columns.line_bytes, ElementsAre(900'002U, line(1).size()));
}

TEST(LineReader, NoByteOfAnyKindIsLost) {
  const TempFolder folder;
  std::string text;
  for (int i = 0; i < 2000; ++i) {
    // NULs within a line: a line that begins with them is a hole and the rest.
    text += std::string(i % 256 == 0 ? 1 : 0, 'x');
    text += std::string(static_cast<std::size_t>(i * 37 % 300), static_cast<char>(i % 256 == '\n' ? 'n' : i));
    text += i % 5 == 0 ? "\r\n" : "\n";
  }
  Follow follow(folder.write("a.log", text), 0, 200);
  std::uint64_t bytes = 0;
  std::size_t lines = 0;
  while (follow.reader.offset() < text.size()) {
    const auto decoded = follow.next(10'000);
    lines += decoded.columns.line_bytes.size();
    for (const auto size : decoded.columns.line_bytes) bytes += size;
  }
  EXPECT_EQ(bytes, text.size());
  EXPECT_EQ(lines, static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')));
}

TEST(LineReader, AHoleIsNoPartOfTheLineBehindIt) {
  const TempFolder folder;
  for (const std::size_t hole : {1U, 5000U, 700'000U, 3'000'000U}) {
    const std::string text = std::string(hole, '\0') + line(1) + line(2) + std::string(7, '\0') + line(3);
    Follow follow(folder.write("a.log", text), 0, 1000);
    std::uint64_t bytes = 0;
    std::size_t records = 0;
    std::size_t filtered = 0;
    while (follow.reader.offset() < text.size()) {
      const auto decoded = follow.next(8 << 20);
      for (const auto size : decoded.columns.line_bytes) bytes += size;
      records += decoded.columns.records();
      filtered += decoded.columns.filtered;
      EXPECT_TRUE(decoded.columns.unparsed.empty()) << hole;
    }
    EXPECT_EQ(bytes, text.size());
    EXPECT_EQ(records, 3U) << hole;
    EXPECT_GE(filtered, 2U) << hole;
  }
}

TEST(LineReader, NulsWithNothingBehindThemWait) {
  const TempFolder folder;
  Follow follow(folder.write("a.log", line(1) + std::string(4096, '\0')));
  EXPECT_EQ(follow.next().columns.line_bytes.size(), 1U);
  EXPECT_EQ(follow.reader.offset(), line(1).size());
}

TEST(LineReader, AFileThatWasWrittenAnewIsNotSplicedToTheOld) {
  const TempFolder folder;
  // With half a line at its end the reader keeps the bytes before, without it rests and keeps their hash.
  for (const auto& [longer, half] : {std::pair{false, false}, {true, false}, {false, true}, {true, true}}) {
    const auto end = half ? line(6).substr(0, 20) : std::string();
    Follow follow(folder.write("a.log", line(1) + line(2) + end));
    EXPECT_EQ(follow.next().columns.records(), 2U);
    EXPECT_TRUE(follow.reader.still_there().value());
    EXPECT_TRUE(follow.reader.has_proof());
    // Truncated and written again, to the old size or past it, between two looks.
    folder.write("a.log", line(3) + line(4) + (longer ? line(5) : std::string()) +
                              (half ? "something else 20 by" : ""));
    EXPECT_FALSE(follow.reader.still_there().value());
    follow.batch.begin(*follow.parser);
    if (longer) {
      EXPECT_TRUE(follow.reader.fill(follow.batch, 1 << 20, *follow.parser).has_value());
      EXPECT_TRUE(follow.reader.rewritten());
      EXPECT_EQ(follow.batch.content_bytes(), 0U);
    }
    EXPECT_EQ(follow.reader.offset(), line(1).size() * 2);
  }
}

TEST(LineReader, GoesOnInACopyThatHasTheSameBytes) {
  const TempFolder folder;
  Follow follow(folder.write("a.log", line(1) + line(2)));
  EXPECT_EQ(follow.next().columns.records(), 2U);
  const std::shared_ptr<Content> copy(
      std::move(*Content::open(folder.write("a.log.1", line(1) + line(2) + line(3)))));
  follow.reader.move_to(copy);
  EXPECT_EQ(follow.next().columns.records(), 1U);
  const std::shared_ptr<Content> other(
      std::move(*Content::open(folder.write("b.log", line(7) + line(8) + line(9) + line(4)))));
  follow.reader.move_to(other);
  EXPECT_EQ(follow.next().columns.records(), 0U);
  EXPECT_TRUE(follow.reader.rewritten());
}

TEST(LineReader, TheLastLineOfACompressedFileIsWhole) {
  const TempFolder folder;
  auto text = line(1) + line(2);
  text.pop_back();
  Follow follow(folder.write("a.log.gz", gzip(text)));
  EXPECT_EQ(follow.next().columns.records(), 2U);
  EXPECT_EQ(follow.reader.offset(), text.size());
  EXPECT_TRUE(follow.reader.at_end());
  EXPECT_EQ(follow.next().columns.records(), 0U);
}

TEST(LineReader, InTheMiddleOfAW3cFileItsHeaderIsStillKnown) {
  const TempFolder folder;
  const std::string header = "#Version: 1.0\n#Fields: date time cs-uri-stem sc-status sc-bytes\n";
  const std::string row = "2026-11-24 10:00:00 /a 404 77\n";
  std::string rows;
  while (rows.size() < (600U << 10)) rows += row;  // more than a block behind the header
  const auto path = folder.write("edge.log", header + rows + row);
  for (const auto offset : {header.size(), header.size() + rows.size()}) {
    Follow follow(path, offset, 1 << 20, "w3c");
    const auto decoded = follow.next(row.size());
    ASSERT_EQ(decoded.columns.records(), 1U) << offset;
    EXPECT_EQ(decoded.columns.number[static_cast<std::size_t>(Number::kStatus)][0], 404U + 1);
  }
}

TEST(LineBatch, TheTextCodecsCarryEveryLineOnce) {
  const TempFolder folder;
  const auto path = folder.write("a.log", line(1) + "no log line\n" + std::string(500, 'x') + "\n");
  for (const auto codec : {Codec::kJson, Codec::kRaw}) {
    Follow follow(path, 0, 200, "combined", codec);
    follow.batch.begin(*follow.parser);
    ASSERT_TRUE(follow.reader.fill(follow.batch, 1 << 20, *follow.parser).has_value());
    const auto text = follow.batch.finish({});
    ASSERT_TRUE(text.has_value());
    EXPECT_EQ(std::count(text->begin(), text->end(), '\n'), 3);
    EXPECT_EQ(follow.batch.counts().lines, 3U);
    EXPECT_EQ(follow.batch.counts().unparsed, 2U);
    if (codec == Codec::kRaw) {
      EXPECT_TRUE(text->starts_with(line(1) + "no log line\n"));
    }
  }
}

TEST(SentRanges, MovesOverWhatIsAcknowledgedInOrder) {
  SentRanges ranges(100, "");
  ranges.sent(1, {100, 200}, "200");
  ranges.sent(2, {200, 300}, "300");
  ranges.settled(2, true);
  EXPECT_EQ(ranges.acknowledged_offset(), 100U);
  EXPECT_FALSE(ranges.idle());
  ranges.settled(1, true);
  EXPECT_EQ(ranges.acknowledged_offset(), 300U);
  EXPECT_EQ(ranges.acknowledged_tail(), "300");
  EXPECT_TRUE(ranges.idle());
}

TEST(SentRanges, AfterAFailureAllBehindItIsSentAgain) {
  SentRanges ranges(0, "");
  ranges.sent(1, {0, 10}, "10");
  ranges.sent(2, {10, 20}, "20");
  ranges.sent(3, {20, 30}, "30");
  ranges.settled(1, true);
  ranges.settled(2, false);
  EXPECT_TRUE(ranges.failed());
  EXPECT_FALSE(ranges.idle());
  ranges.settled(3, true);
  EXPECT_TRUE(ranges.idle());
  EXPECT_EQ(ranges.acknowledged_offset(), 10U);
  ranges.rewound();
  EXPECT_FALSE(ranges.failed());
  ranges.sent(4, {10, 30}, "30");
  ranges.settled(3, true);  // one of before the rewind: not ours any more
  ranges.settled(4, true);
  EXPECT_EQ(ranges.acknowledged_offset(), 30U);
}

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
