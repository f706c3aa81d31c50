#include "agent/follow/claims.h"

#include <gtest/gtest.h>

#include "tests/unit/follow/source_parts.h"

namespace weir {
namespace {

class ClaimsTest : public testing::SourcesTest {
 protected:
  // A source whose first `end` bytes are acknowledged.
  std::shared_ptr<Source> acknowledged(std::uint64_t end) {
    auto one = source("a.log");
    one->sent = RouteRanges({SentRanges(end, {})});
    return one;
  }
  static void claim(const Claims& claims, Source& source, std::int64_t now_ms) {
    claims.sent(source);
    claims.answered(source, source.sent.acknowledged_offset(), true, now_ms);
  }
};

TEST_F(ClaimsTest, WhatIsAcknowledgedIsClaimedOnceAndThenRests) {
  const Claims claims(true);
  const auto one = acknowledged(6);
  EXPECT_FALSE(claims.settled(*one));
  EXPECT_TRUE(claims.due(*one, 20'000));
  claim(claims, *one, 20'000);
  EXPECT_TRUE(claims.settled(*one));
  EXPECT_FALSE(claims.due(*one, 3'600'000));
  EXPECT_TRUE(claims.due(*one, 20'000 + 86'400'000)) << "an aggregator may have forgotten it";
}

TEST_F(ClaimsTest, OneClaimIsInFlightAtATime) {
  const Claims claims(true);
  const auto one = acknowledged(6);
  claims.sent(*one);
  EXPECT_FALSE(claims.due(*one, 20'000));
  claims.answered(*one, 6, false, 21'000);
  EXPECT_TRUE(claims.due(*one, 21'000));
}

TEST_F(ClaimsTest, WithAcksBelowAllAClaimIsRepeatedUntilALeaderThatIsBehindCannotBeElected) {
  const Claims claims(false);
  const auto one = acknowledged(6);
  for (std::int64_t at_ms = 10'000; at_ms < 50'000; at_ms += 10'000) {
    claim(claims, *one, at_ms);
    EXPECT_FALSE(claims.settled(*one));
    EXPECT_TRUE(claims.due(*one, at_ms + 10'000));
  }
  claim(claims, *one, 50'000);
  EXPECT_TRUE(claims.settled(*one));
}

TEST_F(ClaimsTest, AClaimIsRepeatedAfterAFailureOfTheOutput) {
  Claims claims(true);
  const auto one = acknowledged(6);
  claim(claims, *one, 20'000);
  claims.output_failed(25'000);
  EXPECT_FALSE(claims.settled(*one));
  claim(claims, *one, 36'000);
  EXPECT_TRUE(claims.settled(*one));
}

TEST_F(ClaimsTest, NothingIsClaimedBelowTheOrigin) {
  const Claims claims(true);
  const auto one = acknowledged(6);
  one->origin = 6;
  EXPECT_TRUE(claims.settled(*one));
  EXPECT_FALSE(claims.due(*one, 20'000));
}

}  // namespace
}  // namespace weir
