#include "agent/follow/claims.h"

#include "proto/must.h"

namespace weir {
namespace {

// With acks below "all", a leader that dies loses the data that its followers do not have, and the claim with
// it. A follower that lags more than this (replica.lag.time.max.ms, 30 s) cannot become the leader. So data
// that was claimed for longer has arrived, or its absence is visible.
constexpr std::int64_t kBelowAllMs = 40'000;
constexpr std::int64_t kPauseMs = 10'000;
// A failure may mean that the topic was deleted and recreated. A consumer that continues there at an offset
// of the old topic skips the first messages, the batch and its claim among them. So we claim again after the
// consumer must have noticed.
constexpr std::int64_t kAfterFailureMs = 10'000;
// The aggregator forgets a source after months without messages, but an idle log is not gone.
constexpr std::int64_t kAgainMs = 86'400'000;

}  // namespace

bool Claims::settled(const Source& source) const {
  if (!source.sent.idle()) return true;
  const auto end = source.sent.acknowledged_offset();
  if (source.origin >= end) return true;
  const auto& claim = source.claim;
  const bool long_enough = acks_all_ || claim.last_ms_ - claim.first_ms_ >= kBelowAllMs;
  const bool late_enough = !failed_ms_ || claim.last_ms_ - *failed_ms_ >= kAfterFailureMs;
  return claim.offset_ == end && long_enough && late_enough;
}

bool Claims::due(const Source& source, std::int64_t now_ms) const {
  const auto end = source.sent.acknowledged_offset();
  const auto pause_ms = settled(source) ? kAgainMs : kPauseMs;
  if (source.claim.offset_ == end && now_ms - source.claim.last_ms_ < pause_ms) return false;
  // One claim at a time: otherwise each heartbeat would add one while the broker is unreachable.
  return !source.claim.in_flight_ && source.sent.idle() && source.origin < end;
}

void Claims::sent(Source& source) const {
  MUST(!source.claim.in_flight_, "one claim of a source is in flight at a time");
  source.claim.in_flight_ = true;
}

void Claims::answered(Source& source, std::uint64_t offset, bool acknowledged, std::int64_t now_ms) const {
  MUST(source.claim.in_flight_, "a claim that is answered was in flight");
  source.claim.in_flight_ = false;
  if (!acknowledged) return;
  if (source.claim.offset_ != offset) source.claim.first_ms_ = now_ms;
  source.claim.offset_ = offset;
  source.claim.last_ms_ = now_ms;
}

void Claims::check([[maybe_unused]] const Source& source) const {
  MUST(source.claim.offset_ <= source.sent.acknowledged_offset(),
       "nothing is claimed that was not acknowledged");
  MUST(source.claim.first_ms_ <= source.claim.last_ms_, "the first claim of an offset is not after the last");
}

}  // namespace weir
