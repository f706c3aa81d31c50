#include "agent/follow/lanes.h"

#include <gtest/gtest.h>

#include "tests/unit/follow/source_parts.h"

namespace weir {
namespace {

constexpr Lanes::Load kIdle{.bytes = 0, .max_bytes = 1000, .messages = 0, .max_messages = 10, .now_ms = 1};

class LanesTest : public testing::SourcesTest {
 protected:
  std::shared_ptr<Source> add(const std::string& name) {
    auto added = source(name, name);
    table_.add(added);
    table_.set_path(added->path, added);
    return added;
  }
  std::shared_ptr<Source> next(const Lanes::Load& load = kIdle) {
    const auto turn = lanes_.next(load);
    return turn ? turn->source : nullptr;
  }
  SourceTable table_;
  Lanes lanes_;
};

TEST_F(LanesTest, EachThatWaitsHasOneTurnInARound) {
  const auto a = add("a.log");
  const auto b = add("b.log");
  lanes_.enqueue(a);
  lanes_.enqueue(b);
  lanes_.enqueue(a);  // already waiting
  lanes_.begin_round();
  const auto first = lanes_.next(kIdle);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->source, a);
  lanes_.finish(*first, {.read_bytes = 10, .has_more = true, .waits = true});
  EXPECT_EQ(next(), b);
  EXPECT_EQ(next(), nullptr) << "a waits for the next round";
  lanes_.check(table_);
  lanes_.begin_round();
  EXPECT_EQ(next(), a);
  EXPECT_TRUE(lanes_.empty());
}

TEST_F(LanesTest, ARotatedFileIsOneThatHasASuccessorOrIsNotTheNewestOfItsFamily) {
  const auto live = add("a.log");
  const auto older = add("a.log.1");
  lanes_.enqueue(older);
  lanes_.enqueue(live);
  lanes_.sort(table_);
  lanes_.check(table_);
  EXPECT_FALSE(live->lane.rotated());
  EXPECT_TRUE(older->lane.rotated());
}

TEST_F(LanesTest, NobodyHasATurnWhileThereIsNoRoom) {
  lanes_.enqueue(add("a.log"));
  lanes_.begin_round();
  auto load = kIdle;
  load.bytes = load.max_bytes;
  EXPECT_EQ(next(load), nullptr);
  load = kIdle;
  load.messages = load.max_messages;
  EXPECT_EQ(next(load), nullptr);
  EXPECT_NE(next(), nullptr);
}

TEST_F(LanesTest, RotatedFilesLeaveAQuarterOfTheRoomForLiveOnes) {
  const auto live = add("a.log");
  const auto older = add("a.log.1");
  lanes_.sort(table_);
  lanes_.enqueue(older);
  lanes_.begin_round();
  auto load = kIdle;
  load.bytes = 800;
  EXPECT_EQ(next(load), nullptr);
  lanes_.enqueue(live);
  lanes_.begin_round();
  EXPECT_EQ(next(load), live);
}

#ifdef WEIR_MUST
TEST_F(LanesTest, ACopyOfASourceInALaneIsFound) {
  const auto a = add("a.log");
  lanes_.enqueue(a);
  a->lane = {};  // as if it were not known to be waiting
  EXPECT_DEATH(lanes_.check(table_), "waits for its turn");
}
#endif

}  // namespace
}  // namespace weir
