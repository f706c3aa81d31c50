#include "aggregator/warn/leadership.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

TEST(Leadership, ReadsItsClaimBackBeforeItLeads) {
  Leadership one(11, 20);
  std::vector<AlertState> rows;
  auto step = one.step(rows, 100);
  EXPECT_FALSE(step.lead);
  rows = {step.write.value()};
  step = one.step(rows, 105);
  EXPECT_TRUE(step.lead);
  EXPECT_EQ(step.write->since_s, 125);
}

TEST(Leadership, OfTwoThatClaimAtOnceOneLeads) {
  Leadership one(11, 20);
  Leadership two(22, 20);
  const auto first = one.step({}, 100);
  const auto second = two.step({}, 100);
  ASSERT_TRUE(first.write && second.write);
  const std::vector<AlertState> rows = {*second.write};  // the later write wins
  EXPECT_FALSE(one.step(rows, 105).lead);
  EXPECT_FALSE(one.step(rows, 105).write);
  EXPECT_TRUE(two.step(rows, 105).lead);
}

TEST(Leadership, IsTakenOverWhenTheLeaseEndsOrIsGivenUp) {
  Leadership one(11, 20);
  Leadership two(22, 20);
  std::vector<AlertState> rows = {one.step({}, 100).write.value()};
  EXPECT_FALSE(two.step(rows, 119).write);
  EXPECT_TRUE(two.step(rows, 120).write);
  EXPECT_FALSE(one.step(rows, 120).lead) << "it slept past its lease: claims again first";
  EXPECT_FALSE(two.release(rows));
  rows = {one.release(rows).value()};
  EXPECT_TRUE(two.step(rows, 101).write);
}

}  // namespace
}  // namespace weir
