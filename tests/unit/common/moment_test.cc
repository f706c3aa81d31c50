#include "common/moment.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

using namespace std::chrono_literals;

TEST(Duration, MayHaveSeveralUnitsTheLargerOnesFirst) {
  EXPECT_EQ(parse_duration("1h30m").value(), 90min);
  EXPECT_EQ(parse_duration("1d2h3m4s5ms").value(), 26h + 3min + 4s + 5ms);
  EXPECT_EQ(parse_duration("500ms").value(), 500ms);
  EXPECT_EQ(parse_duration("90 s").value(), 90s);
  EXPECT_EQ(parse_duration("0").value(), 0ms);
  for (const char* wrong : {"30m1h", "1h1h", "1h30", "h", "1h-30m", "1h 30m ", "106751991167d24h"})
    EXPECT_FALSE(parse_duration(wrong).has_value()) << wrong;
}

TEST(IsoTime, HasAnyOffsetAndAnyFraction) {
  constexpr std::int64_t kTenMs = 1'795'428'000'000;  // 2026-11-23T10:00:00Z
  const struct {
    const char* text;
    std::int64_t ms;
  } kGood[] = {{"2026-11-23T10:00:00Z", kTenMs},         {"2026-11-23T10:00:00", kTenMs},
               {"2026-11-23 10:00:00", kTenMs},          {"2026-11-23t10:00:00z", kTenMs},
               {"2026-11-23T10:00:00+00", kTenMs},       {"2026-11-23T15:30:00+0530", kTenMs},
               {"2026-11-23T15:30:00+05:30", kTenMs},    {"2026-11-23T01:00:00-09", kTenMs},
               {"2026-11-23T10:00:00.5Z", kTenMs + 500}, {"2026-11-23T10:00:00,123456789Z", kTenMs + 123},
               {"2026-11-23 10:00:00 +0000", kTenMs}};
  for (const auto& row : kGood) EXPECT_EQ(parse_iso_ms(row.text), row.ms) << row.text;
  for (const char* wrong : {"2026-11-23", "2026-11-23T10:00", "2026-02-30T10:00:00Z", "2026-11-23T24:00:00Z",
                            "2026-11-23T10:00:00.Z", "2026-11-23T10:00:00+5", "2026-11-23T10:00:00+24:00",
                            "2026-11-23T10:00:00Zx", "2026-11-23T10:00:00 UTC"})
    EXPECT_FALSE(parse_iso_ms(wrong).has_value()) << wrong;
}

TEST(Moment, IsWhatAPersonNames) {
  constexpr std::int64_t kNow = 1'795'428'000;  // 2026-11-23T10:00:00Z
  const struct {
    const char* text;
    std::int64_t seconds;
  } kGood[] = {{"now", kNow},
               {"-24h", kNow - 86400},
               {"now-1h", kNow - 3600},
               {"-90", kNow - 90},
               {"now-1h30m", kNow - 5400},
               {"1795428000", kNow},
               {"2026-11-23", kNow - 36000},
               {"2026-11-23Z", kNow - 36000},
               {"2026-11-23T10:00", kNow},
               {"2026-11-23 10:00", kNow},
               {"2026-11-23T10:00Z", kNow},
               {"2026-11-23T15:30+05:30", kNow},
               {"2026-11-23T15:30:00+0530", kNow},
               {"2026-11-23T10:00:00.999Z", kNow}};
  for (const auto& row : kGood) {
    const auto read = parse_moment_s(row.text, kNow);
    ASSERT_TRUE(read.has_value()) << row.text;
    EXPECT_EQ(*read, row.seconds) << row.text;
  }
  for (const char* wrong : {"", "yesterday", "-", "now-", "now--5", "now+1h", "--1h", "2026-11-2x",
                            "2026-13-01", "99999999999999", "2026-11-23T10:00:00:00", "-9999999d"})
    EXPECT_FALSE(parse_moment_s(wrong, kNow).has_value()) << wrong;
}

TEST(Moment, IsWrittenAsItIsRead) {
  EXPECT_EQ(iso_text_s(1'795'428'000), "2026-11-23T10:00:00Z");
  EXPECT_EQ(iso_text_ms(1'795'428'000'123), "2026-11-23T10:00:00.123Z");
  EXPECT_EQ(iso_text_ms(-1), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(iso_text_s(300'000'000'000), "300000000000") << "no calendar has it";
}

TEST(FloorTo, RoundsDownBeforeTheEpochToo) {
  EXPECT_EQ(floor_to(125, 60), 120);
  EXPECT_EQ(floor_to(120, 60), 120);
  EXPECT_EQ(floor_to(-1, 60), -60);
  EXPECT_EQ(floor_to(-60, 60), -60);
}

}  // namespace
}  // namespace weir
