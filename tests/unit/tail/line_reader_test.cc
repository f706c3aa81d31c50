#include "agent/tail/line_reader.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/tail/proof.h"
#include "tests/unit/follow_file.h"
#include "tests/unit/gzip.h"
#include "tests/unit/temp_folder.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using testing::Follow;
using testing::gzip;
using testing::line;
using testing::TempFolder;

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

// Ten thousand files that lag behind wait for their turns; none may keep a block of its content.
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

// With each block its beginning is searched again: minimum-size blocks would take minutes.
TEST(LineReader, ALineOfMegabytesBehindASmallLimitIsReadInLargeBlocks) {
  const TempFolder folder;
  Follow follow(folder.write("a.log", line(1) + std::string(8 << 20, 'x') + "\n" + line(2)), 0, 16 << 20);
  std::ignore = follow.next(10);
  const auto before = follow.files.reads;
  std::ignore = follow.next(10);
  EXPECT_EQ(follow.reader.offset(), line(1).size() + (8 << 20) + 1);
  EXPECT_LT(follow.files.reads - before, 100U);
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
    // NULs within a line: a line that begins with them is treated as a hole and the rest.
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
  // With half a line at its end, the reader keeps the bytes before it; without, it rests and keeps their
  // hash.
  for (const auto& [longer, half] : {std::pair{false, false}, {true, false}, {false, true}, {true, true}}) {
    const auto end = half ? line(6).substr(0, 20) : std::string();
    Follow follow(folder.write("a.log", line(1) + line(2) + end));
    EXPECT_EQ(follow.next().columns.records(), 2U);
    EXPECT_TRUE(follow.reader.still_there().value());
    EXPECT_TRUE(follow.reader.has_proof());
    // Truncated and rewritten, to the old size or beyond, between two checks.
    folder.write("a.log", line(3) + line(4) + (longer ? line(5) : std::string()) +
                              (half ? "something else 20 by" : ""));
    EXPECT_FALSE(follow.reader.still_there().value());
    follow.batch.begin(*follow.parser, {Codec::kBatch});
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

TEST(LineReader, AHoleAtTheEndOfACompressedFileIsPartOfWhatProvesIt) {
  const TempFolder folder;
  for (const std::size_t hole : {3U, 5000U}) {
    const auto text = line(1) + line(2) + std::string(hole, '\0');
    Follow follow(folder.write("a.log.gz", gzip(text)));
    const auto decoded = follow.next();
    EXPECT_EQ(decoded.columns.records(), 2U);
    EXPECT_EQ(decoded.columns.filtered, 1U);
    EXPECT_EQ(follow.reader.offset(), text.size());
    EXPECT_EQ(follow.reader.tail_hash(), tail_hash(*follow.content, text.size()).value()) << hole;
  }
}

TEST(LineReader, InTheMiddleOfAW3cFileItsHeaderIsStillKnown) {
  const TempFolder folder;
  const std::string header = "#Version: 1.0\n#Fields: date time cs-uri-stem sc-status sc-bytes\n";
  const std::string row = "2026-11-24 10:00:00 /a 404 77\n";
  std::string rows;
  while (rows.size() < (600U << 10)) rows += row;  // more than a block after the header
  const auto path = folder.write("edge.log", header + rows + row);
  for (const auto offset : {header.size(), header.size() + rows.size()}) {
    Follow follow(path, offset, 1 << 20, "w3c");
    const auto decoded = follow.next(row.size());
    ASSERT_EQ(decoded.columns.records(), 1U) << offset;
    EXPECT_EQ(decoded.columns.number[static_cast<std::size_t>(Number::kStatus)][0], 404U + 1);
  }
}

}  // namespace
}  // namespace weir
