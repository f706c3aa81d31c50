#include "aggregator/source/pauses.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

const PartitionKey kFirst{"access", 0};
const PartitionKey kSecond{"access", 1};

TEST(PausesTest, WhatDeliveredIsPausedAndResumed) {
  Pauses pauses;
  EXPECT_FALSE(pauses.delivered(kFirst));
  EXPECT_FALSE(pauses.delivered(kSecond));
  EXPECT_THAT(pauses.pause(), ElementsAre(kFirst, kSecond));
  EXPECT_TRUE(pauses.paused());
  EXPECT_THAT(pauses.resume(), ElementsAre(kFirst, kSecond));
  EXPECT_FALSE(pauses.paused());
}

TEST(PausesTest, WhatMayBeStartingIsPausedWithItsFirstMessage) {
  Pauses pauses;
  EXPECT_FALSE(pauses.delivered(kFirst));
  EXPECT_THAT(pauses.pause(), ElementsAre(kFirst));
  EXPECT_TRUE(pauses.delivered(kSecond));
  EXPECT_THAT(pauses.resume(), ElementsAre(kFirst, kSecond));
}

TEST(PausesTest, WhatWasNotPausedIsNotResumed) {
  Pauses pauses;
  EXPECT_FALSE(pauses.delivered(kFirst));
  EXPECT_THAT(pauses.resume(), IsEmpty());
  EXPECT_THAT(pauses.pause(), ElementsAre(kFirst));
  EXPECT_THAT(pauses.pause(), IsEmpty());
  EXPECT_THAT(pauses.resume(), ElementsAre(kFirst));
  EXPECT_THAT(pauses.resume(), IsEmpty());
}

TEST(PausesTest, WhatStartsAnewIsAsNew) {
  Pauses pauses;
  EXPECT_FALSE(pauses.delivered(kFirst));
  EXPECT_FALSE(pauses.leaves(kFirst));
  EXPECT_THAT(pauses.pause(), IsEmpty());
  EXPECT_TRUE(pauses.delivered(kFirst));
  EXPECT_TRUE(pauses.leaves(kFirst)) << "librdkafka would keep it paused";
  EXPECT_THAT(pauses.resume(), IsEmpty());
  EXPECT_FALSE(pauses.leaves(kSecond));
}

}  // namespace
}  // namespace weir
