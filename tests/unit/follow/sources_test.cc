#include "agent/follow/sources.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/follow/source_parts.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using SourceTableTest = testing::SourcesTest;

TEST_F(SourceTableTest, FindsASourceByFileByFirstLineAndByPath) {
  SourceTable table;
  const auto a = source("a.log");
  const auto b = source("b.log");
  table.add(a);
  table.add(b);
  table.set_path(a->path, a);
  table.check();
  EXPECT_EQ(table.of_file(a->facts), a);
  EXPECT_EQ(table.of_path(a->path), a);
  EXPECT_EQ(table.of_path(b->path), nullptr);
  EXPECT_EQ(table.followed_with(a->base).size(), 2);
  EXPECT_TRUE(table.in_memory(a->id));
  EXPECT_TRUE(table.follows(b));
}

TEST_F(SourceTableTest, ASourceThatLeavesStaysInMemoryUntilItIsDropped) {
  SourceTable table;
  const auto a = source("a.log");
  table.add(a);
  table.set_path(a->path, a);
  table.leave(a);
  table.check();
  EXPECT_FALSE(table.follows(a));
  EXPECT_EQ(table.of_path(a->path), nullptr);
  EXPECT_THAT(table.leaving_with(a->base), ElementsAre(a));
  EXPECT_TRUE(table.in_memory(a->id));
  table.drop(a);
  table.check();
  EXPECT_FALSE(table.in_memory(a->id));
  EXPECT_EQ(table.size(), 0);
}

TEST_F(SourceTableTest, AnIdIsInMemoryUntilItsLastSourceIsDropped) {
  SourceTable table;
  const auto old = source("a.log");
  const auto fresh = source("b.log");
  fresh->id = old->id;
  table.add(old);
  table.leave(old);
  table.add(fresh);
  table.drop(old);
  table.check();
  EXPECT_TRUE(table.in_memory(fresh->id));
  table.drop(fresh);
  EXPECT_FALSE(table.in_memory(fresh->id));
}

TEST_F(SourceTableTest, ASourceThatTakesOverIsFollowedInItsNewFile) {
  SourceTable table;
  const auto original = source("a.log");
  const auto copy = source("a.log.1");
  table.add(original);
  table.leave(original);
  table.move_to_file(original, [&](Source& moved) { moved.facts = copy->facts; });
  table.check();
  EXPECT_EQ(table.of_file(copy->facts), original);
  EXPECT_TRUE(table.leaving().empty());
}

TEST_F(SourceTableTest, WhatIsTouchedIsSavedOnceAndInItsOrder) {
  SourceTable table;
  const auto a = source("a.log");
  const auto b = source("b.log");
  table.add(a);
  table.add(b);
  table.touch(a);
  EXPECT_THAT(table.touched(), ElementsAre(a, b));
  table.saved(*a);
  EXPECT_THAT(table.touched(), ElementsAre(b));
  table.touch(a);
  table.drop(b);
  EXPECT_THAT(table.touched(), ElementsAre(a));
  table.check();
}

TEST_F(SourceTableTest, AnotherFileUnderOneOfItsNamesIsItsSuccessor) {
  SourceTable table;
  const auto old = source("a.log.1");
  const auto fresh = source("a.log");
  old->names = {fresh->path, old->path};
  table.add(old);
  table.add(fresh);
  EXPECT_FALSE(table.has_successor(*old));
  table.set_path(fresh->path, fresh);
  EXPECT_TRUE(table.has_successor(*old));
  EXPECT_FALSE(table.has_successor(*fresh));
}

#ifdef WEIR_MUST
using SourceTableDeathTest = testing::SourcesTest;

TEST_F(SourceTableDeathTest, ASourceIsAddedOnce) {
  SourceTable table;
  const auto a = source("a.log");
  table.add(a);
  EXPECT_DEATH(table.add(a), "a file is followed once");
}

TEST_F(SourceTableDeathTest, WhatChangesAnIdBehindItsBackIsFound) {
  SourceTable table;
  const auto a = source("a.log");
  table.add(a);
  a->id = {};
  EXPECT_DEATH(table.check(), "ids in memory");
}
#endif

}  // namespace
}  // namespace weir
