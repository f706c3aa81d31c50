#include "agent/follow/sent_ranges.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

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
  ranges.settled(3, true);  // from before the rewind: no longer ours
  ranges.settled(4, true);
  EXPECT_EQ(ranges.acknowledged_offset(), 30U);
}

}  // namespace
}  // namespace weir
