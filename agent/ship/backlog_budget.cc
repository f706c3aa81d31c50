#include "agent/ship/backlog_budget.h"

#include <algorithm>

namespace weir {
namespace {

// The most credit that rotated files can save up while live files are busy and few rotated bytes are read.
// One turn of a live file may still add more than this.
constexpr std::int64_t kMaxCreditBytes = 4 << 20;
// The largest number that the arithmetic below handles. More in one second or one turn means no limit.
constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 40;

std::int64_t bounded(std::uint64_t bytes) { return static_cast<std::int64_t>(std::min(bytes, kMostBytes)); }

}  // namespace

void BacklogBudget::live_read(std::uint64_t bytes) {
  const auto percent = static_cast<std::int64_t>(std::min(limits_.percent, 99U));
  const auto worth = bounded(bytes) * percent / (100 - percent);
  credit_bytes_ = std::min(std::max(kMaxCreditBytes, worth), credit_bytes_ + worth);
}

void BacklogBudget::backlog_read(std::uint64_t bytes, bool contended) {
  if (contended) credit_bytes_ -= bounded(bytes);
  rate_bytes_ -= bounded(bytes);
}

void BacklogBudget::refill(std::int64_t now_ms) {
  const auto a_second = bounded(limits_.bytes_per_s);
  if (!refilled_) {
    refilled_ = true;
    refilled_ms_ = now_ms;
    rate_bytes_ = a_second;
    return;
  }
  const auto passed_ms = now_ms - refilled_ms_;
  if (passed_ms <= 0) return;
  // A fraction of a byte is counted later, together with the following time.
  const auto bytes = std::min<std::int64_t>(passed_ms, 3'600'000) * a_second / 1000;
  if (bytes == 0) return;
  rate_bytes_ = std::min(a_second, rate_bytes_ + bytes);
  refilled_ms_ = now_ms;
}

bool BacklogBudget::may_read(bool contended, std::int64_t now_ms) {
  if (limits_.bytes_per_s > 0) {
    refill(now_ms);
    if (rate_bytes_ <= 0) return false;
  }
  return !contended || credit_bytes_ > 0;
}

std::uint64_t BacklogBudget::turn_bytes(std::uint64_t most) const {
  return limits_.bytes_per_s > 0 ? std::min(most, limits_.bytes_per_s) : most;
}

}  // namespace weir
