#include "common/rate_limiter.h"

#include <utility>

#include "proto/must.h"

namespace weir {

bool RateLimiter::pass(std::string_view key, std::int64_t now_ms) {
  const auto found = keys_.find(key);
  if (found != keys_.end() && now_ms - found->second.passed_ms < limits_.interval_ms) {
    ++found->second.held_back;
    return false;
  }
  if (found == keys_.end() && keys_.size() >= limits_.max_passed) {
    if (others_.held_back++ == 0) others_.passed_ms = now_ms;
    return false;
  }
  // A count that was not fetched yet is kept, so that everything held back is reported.
  auto& entry = found == keys_.end() ? keys_.emplace(std::string(key), Key{}).first->second : found->second;
  entry.passed_ms = now_ms;
  return true;
}

std::vector<RateLimiter::HeldBack> RateLimiter::take_held_back(std::int64_t now_ms) {
  std::vector<HeldBack> out;
  const auto over = [&](const Key& key) { return now_ms - key.passed_ms >= limits_.interval_ms; };
  for (auto at = keys_.begin(); at != keys_.end();) {
    if (!over(at->second)) {
      ++at;
      continue;
    }
    if (at->second.held_back > 0) out.push_back({at->first, at->second.held_back});
    at = keys_.erase(at);
  }
  if (others_.held_back > 0 && over(others_)) out.push_back({{}, std::exchange(others_, Key{}).held_back});
  return out;
}

void RateLimiter::check() const {
  MUST(keys_.size() <= limits_.max_passed, "no more keys are remembered than may pass in an interval");
  MUST(others_.held_back > 0 || others_.passed_ms == 0,
       "the others have a time only while some were held back");
}

}  // namespace weir
