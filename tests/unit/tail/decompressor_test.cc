#include "agent/tail/decompressor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/compressed.h"
#include "tests/unit/gzip.h"

namespace weir {
namespace {

using testing::bzip2;
using testing::gzip;
using ::testing::HasSubstr;
using testing::zstd;

struct Given {
  std::string bytes;
  std::optional<Error> error;
  bool needs_input = false, member_ended = false;
};

// Decompresses all of `input`, given in pieces of `piece` bytes, taking `room` bytes at a time.
Given all_of(Decompressor& decompressor, std::string_view input, std::size_t piece = 1 << 16,
             std::size_t room = 1 << 16) {
  Given given;
  std::string out(room, '\0');
  while (true) {
    // In memory of its own, so that reads past the end are detected.
    const std::string now(input.substr(0, piece));
    const auto got = decompressor.run(now, out.data(), out.size());
    if (!got) {
      given.error = got.error();
      return given;
    }
    EXPECT_LE(got->consumed, now.size());
    EXPECT_LE(got->produced, room);
    EXPECT_TRUE(got->needs_input || got->produced > 0) << "a call gets on or says what it waits for";
    if (got->needs_input) {
      EXPECT_EQ(got->consumed, now.size());
    }
    given.bytes.append(out, 0, got->produced);
    given.needs_input = got->needs_input;
    given.member_ended = got->member_ended;
    input.remove_prefix(std::min(got->consumed, input.size()));
    if (input.empty() && got->needs_input) return given;
  }
}

Given all_of(Compression compression, std::string_view input, std::size_t piece = 1 << 16,
             std::size_t room = 1 << 16) {
  const auto decompressor = Decompressor::create(compression, "a.log");
  return all_of(**decompressor, input, piece, room);
}

std::string log_lines(int count) {
  std::string out;
  for (int i = 0; i < count; ++i)
    out += "192.0.2." + std::to_string(i % 250) + " GET /" + std::to_string(i * 7919) + " 200\n";
  return out;
}

struct Format {
  Compression compression;
  const char* name;
  const char* suffix;
  const char* checker;
  std::string (*compress)(std::string bytes);
};
std::string zstd_frame(std::string bytes) { return zstd(std::move(bytes)); }

class Formats : public ::testing::TestWithParam<Format> {};

INSTANTIATE_TEST_SUITE_P(Decompressor, Formats,
                         ::testing::Values(Format{Compression::kGzip, "Gzip", ".gz", "gzip -t", gzip},
                                           Format{Compression::kZstd, "Zstd", ".zst", "zstd -t", zstd_frame},
                                           Format{Compression::kBzip2, "Bzip2", ".bz2", "bzip2 -t", bzip2}),
                         [](const auto& test) { return test.param.name; });

TEST_P(Formats, AreKnownByTheirSuffixAndByTheirFirstBytes) {
  EXPECT_EQ(compression_of(std::string("/l/a.log.1") + GetParam().suffix), GetParam().compression);
  EXPECT_EQ(compression_of(std::string("/l/a") + GetParam().suffix + "/a.log"), Compression::kNone);
  const auto bytes = GetParam().compress("x");
  EXPECT_EQ(looks_compressed(bytes), GetParam().compression);
  EXPECT_EQ(looks_compressed(bytes.substr(0, kCompressionMagicBytes)), GetParam().compression);
  EXPECT_EQ(looks_compressed(bytes.substr(0, 2)), Compression::kNone);
  EXPECT_EQ(looks_compressed(GetParam().compress("").substr(0, kCompressionMagicBytes)),
            GetParam().compression)
      << "of nothing, too";
}

TEST_P(Formats, GiveTheSameBytesHoweverTheInputIsCut) {
  const auto text = log_lines(4'000);
  const auto bytes = GetParam().compress(text);
  for (const auto& [piece, room] : {std::pair<std::size_t, std::size_t>{1, 1 << 16},
                                    {1, 1},
                                    {7, 13},
                                    {1 << 20, 1},
                                    {bytes.size(), text.size()},
                                    {1 << 20, 1 << 20}}) {
    const auto given = all_of(GetParam().compression, bytes, piece, room);
    EXPECT_FALSE(given.error.has_value()) << piece << " " << room;
    EXPECT_TRUE(given.bytes == text) << piece << " " << room;
    EXPECT_TRUE(given.member_ended);
  }
}

TEST_P(Formats, MembersFollowOneAnotherWithPaddingBetweenAndBehind) {
  const auto first = log_lines(300);
  const auto& compress = GetParam().compress;
  const auto bytes = compress(first) + compress("") + compress("two\n") + std::string(700, '\0') +
                     compress("three\n") + std::string(512, '\0');
  for (const std::size_t piece : {1, 64, 100'000}) {
    const auto given = all_of(GetParam().compression, bytes, piece, 1000);
    EXPECT_FALSE(given.error.has_value());
    EXPECT_EQ(given.bytes, first + "two\nthree\n");
    EXPECT_TRUE(given.member_ended);
  }
}

TEST_P(Formats, PaddingBeforeTheFirstMemberIsNone) {
  const auto given = all_of(GetParam().compression, std::string(3, '\0') + GetParam().compress("x"));
  ASSERT_TRUE(given.error.has_value());
  EXPECT_EQ(given.error->code, Code::kCorrupt);
}

TEST_P(Formats, OfTruncatedInputGiveWhatThereIsAndWaitForTheRest) {
  const auto text = log_lines(200);
  const auto bytes = GetParam().compress(text);
  for (std::size_t cut = 0; cut < bytes.size(); cut += 1 + bytes.size() / 300) {
    const auto decompressor = Decompressor::create(GetParam().compression, "a.log");
    auto given = all_of(**decompressor, std::string_view(bytes).substr(0, cut), 50, 1000);
    ASSERT_FALSE(given.error.has_value()) << cut << ": " << given.error->what;
    EXPECT_TRUE(given.needs_input);
    EXPECT_FALSE(given.member_ended) << cut;
    EXPECT_TRUE(text.starts_with(given.bytes)) << cut;
    // It is checked repeatedly before the rest arrives.
    char byte = 0;
    for (int i = 0; i < 100; ++i) {
      const auto got = (*decompressor)->run("", &byte, 1);
      ASSERT_TRUE(got.has_value()) << got.error().what;
      EXPECT_EQ(got->produced, 0U);
      EXPECT_TRUE(got->needs_input);
      EXPECT_FALSE(got->member_ended);
    }
    const auto rest = all_of(**decompressor, std::string_view(bytes).substr(cut), 50, 1000);
    ASSERT_FALSE(rest.error.has_value()) << cut << ": " << rest.error->what;
    EXPECT_EQ(given.bytes + rest.bytes, text) << cut;
    EXPECT_TRUE(rest.member_ended);
  }
}

TEST_P(Formats, AMemberThatIsCutBeforeTheNextIsDamage) {
  const auto bytes = GetParam().compress(log_lines(200));
  const auto given = all_of(GetParam().compression, bytes.substr(0, bytes.size() / 2) + bytes);
  ASSERT_TRUE(given.error.has_value());
  EXPECT_EQ(given.error->code, Code::kCorrupt);
}

TEST_P(Formats, DamageIsFoundAndTheErrorSaysWhereAndWhatToDo) {
  const auto text = log_lines(200);
  const auto good = GetParam().compress("before\n");
  const auto bytes = GetParam().compress(text);
  std::mt19937 random(20261125);
  int found = 0;
  int positions = 0;
  for (std::size_t at = 0; at < bytes.size(); at += 1 + bytes.size() / 500) {
    auto damaged = good + bytes;
    const auto bit = 1U << random() % 8;
    damaged[good.size() + at] =
        static_cast<char>(static_cast<unsigned char>(damaged[good.size() + at]) ^ bit);
    const auto whole = all_of(GetParam().compression, damaged);
    const auto pieces = all_of(GetParam().compression, damaged, 3, 17);
    EXPECT_EQ(whole.bytes, pieces.bytes) << at << ": no matter how it is cut";
    EXPECT_EQ(whole.error, pieces.error) << at;
    EXPECT_TRUE(whole.bytes.starts_with("before\n")) << at << ": what came before the damage is read";
    ++positions;
    if (!whole.error) continue;
    ++found;
    EXPECT_THAT(whole.error->what, HasSubstr("a.log: does not decompress")) << at;
    if (whole.error->code == Code::kCorrupt) {
      EXPECT_THAT(whole.error->what, HasSubstr("after " + std::to_string(whole.bytes.size()) + " bytes"))
          << at;
      EXPECT_THAT(whole.error->hint, HasSubstr(GetParam().checker)) << at;
    } else {
      EXPECT_EQ(whole.error->code, Code::kInvalid) << at << ": only a header that asks for too much";
    }
  }
  // The other positions make no difference (a time, unused flags) or look truncated.
  EXPECT_GT(found * 100, positions * 90);
}

TEST_P(Formats, AnErrorStaysUntilTheReset) {
  const auto decompressor = Decompressor::create(GetParam().compression, "a.log");
  const auto bad = all_of(**decompressor, GetParam().compress("one\n") + "rubbish");
  EXPECT_EQ(bad.bytes, "one\n") << "given before the error";
  ASSERT_TRUE(bad.error.has_value());
  const auto again = all_of(**decompressor, GetParam().compress("two\n"));
  EXPECT_EQ(again.error, bad.error);
  EXPECT_EQ(again.bytes, "");
  (*decompressor)->reset();
  const auto good = all_of(**decompressor, GetParam().compress("two\n"));
  EXPECT_FALSE(good.error.has_value());
  EXPECT_EQ(good.bytes, "two\n");
}

TEST_P(Formats, BeginAgainFromAnywhereAfterAReset) {
  const auto text = log_lines(2'000);
  const auto bytes = GetParam().compress(text);
  const auto decompressor = Decompressor::create(GetParam().compression, "a.log");
  for (const std::size_t cut : {0UL, 1UL, 11UL, bytes.size() / 2, bytes.size() - 1, bytes.size()}) {
    all_of(**decompressor, std::string_view(bytes).substr(0, cut), 1000, 1000);
    (*decompressor)->reset();
    const auto given = all_of(**decompressor, bytes);
    EXPECT_FALSE(given.error.has_value()) << cut;
    EXPECT_EQ(given.bytes, text) << cut;
  }
}

TEST_P(Formats, OtherFormatsAreNotTheirs) {
  using Compress = std::string (*)(std::string);
  for (const Compress compress : {Compress{gzip}, Compress{zstd_frame}, Compress{bzip2},
                                  Compress{[](std::string bytes) { return bytes; }}}) {
    const auto bytes = compress("192.0.2.1 - - [24/Nov/2026:10:00:00 +0000]\n");
    if (looks_compressed(bytes) == GetParam().compression) continue;
    const auto given = all_of(GetParam().compression, bytes);
    ASSERT_TRUE(given.error.has_value());
    EXPECT_EQ(given.error->code, Code::kCorrupt);
    EXPECT_EQ(given.bytes, "");
  }
}

TEST_P(Formats, AVeryLargeContentComesInBoundedPieces) {
  const auto bytes = GetParam().compress(std::string(40 << 20, 'a'));
  EXPECT_LT(bytes.size(), 1U << 20);
  const auto decompressor = Decompressor::create(GetParam().compression, "a.log");
  std::string_view input = bytes;
  std::string out(1 << 16, '\0');
  std::size_t size = 0;
  while (true) {
    const auto got = (*decompressor)->run(input, out.data(), out.size());
    ASSERT_TRUE(got.has_value()) << got.error().what;
    size += got->produced;
    input.remove_prefix(got->consumed);
    if (got->needs_input) break;
  }
  EXPECT_EQ(size, 40U << 20);
}

TEST(Decompressor, OfNoCompressionCopies) {
  const auto given = all_of(Compression::kNone, std::string("\0\0a\n\0", 5), 2, 1);
  EXPECT_EQ(given.bytes, std::string("\0\0a\n\0", 5));
  EXPECT_TRUE(given.member_ended);
  EXPECT_EQ(looks_compressed("192.0.2.1 - -"), Compression::kNone);
  EXPECT_EQ(looks_compressed("BZh9 is a word"), Compression::kNone);
  EXPECT_EQ(looks_compressed(""), Compression::kNone);
}

TEST(Decompressor, SkippableZstdFramesAreSkipped) {
  const std::string skippable("\x5e\x2a\x4d\x18\x05\0\0\0hello", 13);
  EXPECT_EQ(looks_compressed(skippable), Compression::kZstd);
  for (const std::size_t piece : {1, 100'000}) {
    const auto given =
        all_of(Compression::kZstd, skippable + zstd("a\n") + skippable + zstd("b\n") + skippable, piece);
    EXPECT_FALSE(given.error.has_value());
    EXPECT_EQ(given.bytes, "a\nb\n");
    EXPECT_TRUE(given.member_ended);
  }
}

TEST(Decompressor, AZstdWindowAboveTheLimitIsRefusedAndOneAtTheLimitIsRead) {
  const auto text = log_lines(10);
  EXPECT_EQ(all_of(Compression::kZstd, zstd(text, 27)).bytes, text);
  const auto given = all_of(Compression::kZstd, zstd(text, 28));
  ASSERT_TRUE(given.error.has_value());
  EXPECT_EQ(given.error->code, Code::kInvalid);
  EXPECT_THAT(given.error->what, HasSubstr("window is larger than 128 MiB"));
  EXPECT_THAT(given.error->hint, HasSubstr("--long=27"));
}

TEST(Decompressor, AZstdFrameThatNeedsADictionaryIsRefused) {
  // Magic number, descriptor with a one-byte dictionary id and a single segment, the id, the size.
  const std::string frame("\x28\xb5\x2f\xfd\x21\x07\x01\x09\0\0a", 11);
  const auto given = all_of(Compression::kZstd, frame);
  ASSERT_TRUE(given.error.has_value());
  EXPECT_EQ(given.error->code, Code::kInvalid);
  EXPECT_THAT(given.error->what, HasSubstr("dictionary"));
}

TEST(Decompressor, ZstdFormatsOfBeforeTheFirstReleaseAreRefused) {
  for (const std::string before : {"", "\x28", "\x28\xb5"}) {
    for (const char first : {'\x24', '\x25', '\x26', '\x27'}) {
      for (const std::size_t piece : {1, 100'000}) {
        const auto given =
            all_of(Compression::kZstd, before + first + "\xb5\x2f\xfd" + std::string(64, '\1'), piece);
        ASSERT_TRUE(given.error.has_value());
        EXPECT_EQ(given.error->code, Code::kCorrupt);
        EXPECT_EQ(given.bytes, "");
      }
    }
  }
}

}  // namespace
}  // namespace weir
