#include "aggregator/pages/query.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/moment.h"

namespace weir {
namespace {

using testing::HasSubstr;

constexpr std::int64_t kNow = 1'800'000'000;

Result<TrafficRequest> parse(const Params& params) { return parse_traffic(params, kNow, 60, true); }

TEST(Query, Times) {
  EXPECT_EQ(parse_moment_s("1763899500", kNow).value(), 1'763'899'500);
  EXPECT_EQ(parse_moment_s("2025-11-23T12:05:00Z", kNow).value(), 1'763'899'500);
  EXPECT_EQ(parse_moment_s("2025-11-23T12:05", kNow).value(), 1'763'899'500);
  EXPECT_EQ(parse_moment_s("2025-11-23", kNow).value(), 1'763'856'000);
  EXPECT_EQ(parse_moment_s("-24h", kNow).value(), kNow - 86400);
  EXPECT_EQ(parse_moment_s("now", kNow).value(), kNow);
  for (const char* wrong : {"", "x", "2025-13-01", "2025-02-30", "2025-11-23T25:00", "-", "-h", "-5y", "1e9",
                            "99999999999999999999", "2025/11/23", "-99999999999999d"}) {
    EXPECT_FALSE(parse_moment_s(wrong, kNow).has_value()) << wrong;
  }
}

TEST(Query, AnOffsetMayLoseItsPlusInAnAddress) {
  for (const char* from : {"2025-11-23T14:05:00+02:00", "2025-11-23T14:05:00 02:00", "2025-11-23 12:05:00"})
    EXPECT_EQ(parse({{"from", from}})->query.from_s, 1'763'899'500) << from;
}

TEST(Query, TakesFiltersStepsAndDimensions) {
  const auto out = parse(
      {{"from", "-1h"}, {"to", "now"}, {"step", "5m"}, {"by", "site,class"}, {"site", "a"}, {"host", ""}});
  ASSERT_TRUE(out.has_value()) << out.error().what;
  EXPECT_EQ(out->query.from_s, kNow - 3600);
  EXPECT_EQ(out->query.to_s, kNow);
  EXPECT_EQ(out->query.step_s, 300);
  EXPECT_TRUE(out->query.by_site);
  EXPECT_TRUE(out->query.by_status);
  EXPECT_TRUE(out->by_class);
  EXPECT_EQ(out->query.site, "a");
  EXPECT_FALSE(out->query.host);
  EXPECT_TRUE(parse({{"step", "auto"}})->auto_step);
  EXPECT_EQ(parse({{"step", "all"}})->query.step_s, 0);
}

TEST(Query, SaysWhatIsWrong) {
  EXPECT_THAT(parse({{"form", "1"}}).error().what, HasSubstr("\"form\" is not known"));
  EXPECT_THAT(parse({{"from", "soon"}}).error().what, HasSubstr("parameter from"));
  EXPECT_THAT(parse({{"step", "90s"}}).error().what, HasSubstr("multiple of the window"));
  EXPECT_THAT(parse({{"step", "0"}}).error().what, HasSubstr("parameter step"));
  EXPECT_THAT(parse({{"by", "path"}}).error().what, HasSubstr("\"path\" is not a dimension"));
  EXPECT_THAT(parse({{"by", "class,status"}}).error().what, HasSubstr("exclude"));
  EXPECT_THAT(parse({{"from", "now"}, {"to", "-1h"}}).error().what, HasSubstr("later than to"));
  EXPECT_THAT(parse({{"site", "a"}, {"site", "b"}}).error().what, HasSubstr("twice"));
  EXPECT_FALSE(parse_traffic({{"step", "1m"}}, kNow, 60, false).has_value());
  EXPECT_FALSE(check_params({{"a", "b"}}, "").has_value());
}

TEST(Query, HostileNamesComeBackHarmless) {
  const std::string what = parse({{"\x1b[31m<b>\n", "x"}}).error().what;
  EXPECT_EQ(what.find('\x1b'), std::string::npos);
  EXPECT_EQ(what.find('\n'), std::string::npos);
}

TEST(Query, StepsAreMultiplesOfTheWindowAndFew) {
  for (const std::int64_t window : {1, 10, 60, 300, 420}) {
    for (std::int64_t range = 60; range < 400'000'000; range *= 3) {
      const std::int64_t step = choose_step(0, range, window);
      EXPECT_EQ(step % window, 0) << window << " " << range;
      EXPECT_LE(range / step, 320) << window << " " << range;
    }
  }
  EXPECT_EQ(choose_step(0, 3600, 60), 60);
  EXPECT_EQ(choose_step(0, 86400, 60), 300);
}

TEST(Query, TooManyPointsAreRefused) {
  EXPECT_TRUE(check_points(0, 2000 * 60, 60).has_value());
  const auto out = check_points(0, 2001 * 60, 60);
  ASSERT_FALSE(out.has_value());
  EXPECT_EQ(out.error().code, Code::kInvalid);
  EXPECT_TRUE(check_points(0, 1'000'000, 0).has_value());
}

}  // namespace
}  // namespace weir
