#include "agent/ship/backlog_budget.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

// Two lanes that always have more: the bytes that the rotated files get in `turns` turns.
std::uint64_t rotated_bytes_of(BacklogBudget& budget, int turns, std::uint64_t turn_bytes) {
  std::uint64_t rotated = 0;
  for (int turn = 0; turn < turns; ++turn) {
    if (budget.may_read(true, 0)) {
      budget.backlog_read(turn_bytes, true);
      rotated += turn_bytes;
    } else {
      budget.live_read(turn_bytes);
    }
  }
  return rotated;
}

TEST(BacklogBudgetTest, RotatedFilesHaveTheirShareWhileLiveOnesHaveMore) {
  for (const std::uint64_t turn_bytes : {1000U, 4U << 20, 16U << 20}) {
    for (const unsigned percent : {1U, 10U, 25U, 50U, 90U, 99U}) {
      BacklogBudget budget({.percent = percent});
      EXPECT_FALSE(budget.may_read(true, 0)) << "live files come first";
      const auto turns =
          static_cast<double>(rotated_bytes_of(budget, 1000, turn_bytes)) / static_cast<double>(turn_bytes);
      EXPECT_NEAR(turns, percent * 10.0, 1) << percent << " of turns of " << turn_bytes;
    }
  }
}

TEST(BacklogBudgetTest, WithoutAShareTheyWaitUntilLiveOnesHaveNothing) {
  BacklogBudget budget({.percent = 0});
  EXPECT_EQ(rotated_bytes_of(budget, 1000, 1000), 0U);
  EXPECT_TRUE(budget.may_read(false, 0));
}

TEST(BacklogBudgetTest, WhatIsReadWhileLiveOnesHaveNothingIsNotHeldAgainstThem) {
  BacklogBudget budget({.percent = 50});
  for (int turn = 0; turn < 100; ++turn) {
    ASSERT_TRUE(budget.may_read(false, 0));
    budget.backlog_read(1000, false);
  }
  budget.live_read(1000);
  EXPECT_TRUE(budget.may_read(true, 0));
}

TEST(BacklogBudgetTest, NoMoreIsSavedUpThanATurnOrSo) {
  BacklogBudget budget({.percent = 50});
  for (int turn = 0; turn < 1'000'000; ++turn) budget.live_read(1 << 20);
  budget.backlog_read(16 << 20, true);
  EXPECT_FALSE(budget.may_read(true, 0));
}

TEST(BacklogBudgetTest, TheRateHoldsWhateverLiveFilesDo) {
  BacklogBudget budget({.percent = 99, .bytes_per_s = 10'000});
  std::uint64_t read = 0;
  for (std::int64_t now_ms = 5'000; now_ms < 65'000; now_ms += 7) {
    while (budget.may_read(false, now_ms)) {
      const auto bytes = budget.turn_bytes(3'333);
      budget.backlog_read(bytes, false);
      read += bytes;
    }
  }
  // One minute's bytes, one second's that are allowed at once, and the excess of the last turn.
  EXPECT_GE(read, 590'000U);
  EXPECT_LE(read, 60 * 10'000U + 10'000U + 3'333U);
}

TEST(BacklogBudgetTest, ALongRestSavesUpNoMoreThanASecond) {
  BacklogBudget budget({.percent = 25, .bytes_per_s = 10'000});
  ASSERT_TRUE(budget.may_read(false, 0));
  budget.backlog_read(10'000, false);
  ASSERT_FALSE(budget.may_read(false, 0));
  ASSERT_TRUE(budget.may_read(false, std::int64_t{1} << 50));
  budget.backlog_read(10'000, false);
  EXPECT_FALSE(budget.may_read(false, std::int64_t{1} << 50));
}

TEST(BacklogBudgetTest, ATurnThatReadsMuchMoreIsPaidBack) {
  BacklogBudget budget({.percent = 25, .bytes_per_s = 1'000});
  ASSERT_TRUE(budget.may_read(false, 0));
  budget.backlog_read(11'000, false);  // one long line
  EXPECT_FALSE(budget.may_read(false, 10'000));
  EXPECT_TRUE(budget.may_read(false, 10'001));
}

TEST(BacklogBudgetTest, ATurnIsASecondsWorthAtMost) {
  EXPECT_EQ(BacklogBudget({.percent = 25, .bytes_per_s = 5'000}).turn_bytes(4 << 20), 5'000U);
  EXPECT_EQ(BacklogBudget({.percent = 25, .bytes_per_s = 0}).turn_bytes(4 << 20), 4U << 20);
}

TEST(BacklogBudgetTest, NumbersOfAnySizeAreTaken) {
  constexpr auto kMost = ~std::uint64_t{0};
  BacklogBudget budget({.percent = ~0U, .bytes_per_s = kMost});
  EXPECT_TRUE(budget.may_read(false, 0));
  budget.live_read(kMost);
  EXPECT_TRUE(budget.may_read(true, 0));
  for (int turn = 0; turn < 100; ++turn) budget.backlog_read(kMost, true);
  EXPECT_FALSE(budget.may_read(true, 1));
  EXPECT_TRUE(budget.may_read(false, std::int64_t{1} << 60));
}

}  // namespace
}  // namespace weir
