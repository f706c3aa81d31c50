#include "agent/follow/route_ranges.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

class RouteRangesTest : public ::testing::Test {
 protected:
  // Route 0 has 100 bytes, route 1 has 60.
  RouteRanges ranges_{{SentRanges(100, "at 100"), SentRanges(60, "at 60")}};
};

TEST_F(RouteRangesTest, ReadingBeginsWhereTheRouteThatIsBehindStands) {
  EXPECT_EQ(ranges_.acknowledged_offset(), 60);
  EXPECT_EQ(ranges_.acknowledged_tail(), "at 60");
  EXPECT_TRUE(ranges_.wants(1, 61));
  EXPECT_FALSE(ranges_.wants(0, 100)) << "it has these bytes";
  EXPECT_TRUE(ranges_.wants(0, 101));
  ranges_.check(60);
}

TEST_F(RouteRangesTest, ABatchEndsWhereTheNextRouteBegins) {
  EXPECT_EQ(ranges_.next_begin(60), 100);
  EXPECT_EQ(ranges_.next_begin(80), 100);
  EXPECT_EQ(ranges_.next_begin(100), 0);
}

TEST_F(RouteRangesTest, OnlyTheRouteThatFailedGoesBack) {
  ranges_.of(1).sent(1, {60, 100}, "at 100");
  ranges_.of(1).settled(1, true);
  ranges_.of(0).sent(2, {100, 150}, "at 150");
  ranges_.of(1).sent(3, {100, 150}, "at 150");
  EXPECT_FALSE(ranges_.idle());
  EXPECT_EQ(ranges_.in_flight(), 1);
  ranges_.of(0).settled(2, true);
  ranges_.of(1).settled(3, false);
  EXPECT_TRUE(ranges_.idle());
  EXPECT_TRUE(ranges_.failed());
  ranges_.rewound();
  EXPECT_FALSE(ranges_.failed());
  EXPECT_EQ(ranges_.acknowledged_offset(), 100);
  EXPECT_EQ(ranges_.of(0).position(), 150);
  EXPECT_EQ(ranges_.next_begin(100), 150);
  ranges_.check(100);
}

TEST_F(RouteRangesTest, OfTwoAtOneOffsetTheOneThatKnowsTheBytesBeforeItSaysThem) {
  const RouteRanges ranges({SentRanges(100, ""), SentRanges(100, "at 100")});
  EXPECT_EQ(ranges.acknowledged_tail(), "at 100");
}

TEST_F(RouteRangesTest, ARouteThatIsAheadLearnsTheBytesBeforeItsOffsetWhenReadingPassesThem) {
  // As restored from the registry, which knows only the bytes before the least offset.
  RouteRanges ranges({SentRanges(100, ""), SentRanges(60, "at 60")});
  ranges.passed(80, "at 80");
  EXPECT_EQ(ranges.of(0).acknowledged_tail(), "");
  ranges.passed(100, "at 100");
  ranges.of(1).sent(1, {60, 100}, "at 100");
  ranges.of(1).settled(1, true);
  for (const std::size_t route : {0, 1}) ranges.of(route).sent(route + 2, {100, 150}, "at 150");
  ranges.of(0).settled(2, false);
  ranges.of(1).settled(3, true);
  ranges.rewound();
  EXPECT_EQ(ranges.acknowledged_offset(), 100);
  EXPECT_EQ(ranges.acknowledged_tail(), "at 100") << "reading restarts there, and must prove it";
  ranges.passed(100, "other bytes");
  EXPECT_EQ(ranges.acknowledged_tail(), "at 100");
}

#ifdef WEIR_MUST
using RouteRangesDeathTest = RouteRangesTest;

TEST_F(RouteRangesDeathTest, ARangeThatBeginsElsewhereIsFound) {
  EXPECT_DEATH(ranges_.of(0).sent(1, {90, 120}, ""), "ranges are sent one after the other");
}

TEST_F(RouteRangesDeathTest, AReaderThatStandsWhereNoRouteDoesIsFound) {
  EXPECT_DEATH(ranges_.check(70), "reading stands where one of the routes does");
}
#endif

}  // namespace
}  // namespace weir
