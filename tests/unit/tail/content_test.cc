#include "agent/tail/content.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/unit/gzip.h"
#include "tests/unit/tail/counting_files.h"
#include "tests/unit/temp_folder.h"

namespace weir {
namespace {

using testing::gzip;
using ::testing::HasSubstr;
using testing::TempFolder;

std::string all_of(Content& content, std::uint64_t from = 0) {
  std::string out;
  for (;;) {
    const auto got = content.read(from + out.size(), 1000, out);
    if (!got || *got == 0) return out;
  }
}

TEST(Content, GrowsUnderTheReader) {
  const TempFolder folder;
  const auto content = Content::open(folder.write("a.log", "one\n"));
  ASSERT_TRUE(content.has_value());
  EXPECT_EQ(all_of(**content), "one\n");
  folder.append("a.log", "two\n");
  EXPECT_EQ(all_of(**content, 4), "two\n");
  EXPECT_EQ((*content)->facts()->size_bytes, 8U);
}

TEST(Content, StaysReadableWhenItsNameIsGone) {
  const TempFolder folder;
  const auto content = Content::open(folder.write("a.log", "one\n"));
  std::filesystem::remove(folder / "a.log");
  EXPECT_EQ(all_of(**content), "one\n");
  EXPECT_EQ((*content)->facts()->links, 0U);
}

TEST(Content, ReadsGzipOfSeveralMembersWithPaddingForwardAndBack) {
  const TempFolder folder;
  std::string first(300'000, 'a');
  std::string second(5'000, 'b');
  const auto content =
      Content::open(folder.write("a.log.gz", gzip(first) + gzip(second) + std::string(512, '\0')));
  ASSERT_TRUE(content.has_value());
  EXPECT_TRUE((*content)->compressed());
  EXPECT_EQ(all_of(**content), first + second);
  EXPECT_EQ(all_of(**content, 299'999), "a" + second);
}

// Each file in progress would keep a decompressor, which takes megabytes with some window sizes.
TEST(Content, OfManyCompressedOnesThoseThatWereReadLastGoOnAndTheOthersBeginAnew) {
  const TempFolder folder;
  std::string text;
  for (int n = 0; n < 100'000; ++n) text += std::to_string(n) + "\n";
  CountingFiles files;
  std::vector<std::unique_ptr<Content>> contents;
  std::vector<std::string> read(10);
  for (std::size_t i = 0; i < read.size(); ++i) {
    const auto path = folder.write(std::to_string(i) + ".log.gz", gzip(text));
    contents.push_back(std::move(*Content::open(path, files)));
    ASSERT_TRUE(contents.back()->read(0, 1000, read[i]).has_value());
  }
  EXPECT_EQ(files.reads_from_the_start, 10U);
  for (const std::size_t i : {9U, 8U, 7U, 6U})
    ASSERT_TRUE(contents[i]->read(1000, 1000, read[i]).has_value());
  EXPECT_EQ(files.reads_from_the_start, 10U);
  contents[8].reset();
  for (const std::size_t i : {0U, 1U, 6U}) {
    read[i] += all_of(*contents[i], read[i].size());
    EXPECT_EQ(read[i], text);
  }
  EXPECT_EQ(files.reads_from_the_start, 12U);
}

TEST(Content, OfDamagedGzipWhatCameBeforeIsReadAndThenTheErrorSaysWhere) {
  const TempFolder folder;
  std::string varied;
  for (int i = 0; i < 200'000; ++i) varied += std::to_string(i * 7919);
  auto bytes = gzip(varied);
  bytes.replace(bytes.size() / 2, 64, std::string(64, '\xff'));
  const auto content = Content::open(folder.write("a.log.gz", bytes));
  std::string out;
  Result<std::size_t> got = 0;
  do {
    got = (*content)->read(out.size(), 4096, out);
  } while (got && *got > 0);
  ASSERT_FALSE(got.has_value());
  EXPECT_EQ(got.error().code, Code::kCorrupt);
  EXPECT_THAT(got.error().what, HasSubstr(folder / "a.log.gz"));
  EXPECT_THAT(got.error().hint, HasSubstr("gzip -t"));
  EXPECT_GT(out.size(), 10'000U);
  EXPECT_TRUE(varied.starts_with(out.substr(0, 10'000)));
}

TEST(Content, ACutGzipEndsWhereItsBytesEnd) {
  const TempFolder folder;
  std::string varied;
  for (int i = 0; i < 100'000; ++i) varied += std::to_string(i * 7919);
  const auto whole = gzip(varied);
  const auto content = Content::open(folder.write("a.log.gz", whole.substr(0, whole.size() / 2)));
  const auto got = all_of(**content);
  EXPECT_GT(got.size(), 10'000U);
  EXPECT_TRUE(varied.starts_with(got));
}

TEST(Content, WhatIsNoFileIsRefusedWithoutWaiting) {
  const TempFolder folder;
  const auto fifo = folder / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  for (const auto& path : {fifo, folder.path()}) {
    const auto content = Content::open(path);
    ASSERT_FALSE(content.has_value());
    EXPECT_EQ(content.error().code, Code::kInvalid);
    EXPECT_THAT(content.error().what, HasSubstr("not a regular file"));
  }
  const auto missing = Content::open(folder / "none");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, Code::kNotFound);
}

}  // namespace
}  // namespace weir
