#include "proto/coverage.h"

#include <algorithm>
#include <utility>

#include "proto/must.h"

namespace weir {

Coverage::Coverage(std::uint64_t origin, std::uint64_t high_water, std::vector<Gap> gaps)
    : origin_(origin), high_water_(high_water), started_(high_water > origin), gaps_(std::move(gaps)) {
  merge_touching();
}

std::vector<ByteRange> Coverage::uncovered(ByteRange range) const {
  std::vector<ByteRange> out;
  if (range.empty()) return out;
  if (!started_) return {range};
  const auto piece = [&](std::uint64_t begin, std::uint64_t end) {
    const ByteRange cut{std::max(begin, range.begin), std::min(end, range.end)};
    if (cut.empty()) return;
    if (!out.empty() && out.back().end == cut.begin) {
      out.back().end = cut.end;
    } else {
      out.push_back(cut);
    }
  };
  piece(range.begin, origin_);
  const auto first = std::partition_point(gaps_.begin(), gaps_.end(),
                                          [&](const Gap& gap) { return gap.end <= range.begin; });
  for (auto gap = first; gap != gaps_.end() && gap->begin < range.end; ++gap) piece(gap->begin, gap->end);
  piece(high_water_, range.end);
  return out;
}

// Handles the first range of a source, or a range below its origin.
void Coverage::begin_at(std::uint64_t begin, std::uint64_t origin, std::int64_t now_ms) {
  if (!started_) {
    started_ = true;
    origin_ = high_water_ = std::min(origin, begin);
    return;
  }
  if (begin >= origin_) return;
  // The agent now begins earlier (another start_at, a lost registry). The bytes in between are meant to be
  // read and form a gap until they arrive.
  gaps_.insert(gaps_.begin(), Gap(begin, origin_, LossCause::kNotReceived, now_ms));
  origin_ = begin;
}

void Coverage::add(ByteRange range, std::uint64_t origin, LossCause cause_of_gap, std::int64_t now_ms) {
  if (range.empty()) return;
  [[maybe_unused]] const auto before = started_ ? high_water_ : 0;
  begin_at(range.begin, origin, now_ms);
  const bool below = range.begin == origin_ && !gaps_.empty() && gaps_.front().begin == origin_;
  const auto first = std::partition_point(gaps_.begin(), gaps_.end(),
                                          [&](const Gap& gap) { return gap.end <= range.begin; });
  auto last = first;
  std::vector<Gap> remain;  // at most two: the ends of gaps outside the range
  for (; last != gaps_.end() && last->begin < range.end; ++last) {
    if (last->begin < range.begin) remain.emplace_back(last->begin, range.begin, last->cause, last->since_ms);
    if (last->end > range.end) remain.emplace_back(range.end, last->end, last->cause, last->since_ms);
  }
  if (first != last) {
    const auto at = gaps_.erase(first, last);
    gaps_.insert(at, remain.begin(), remain.end());
  }
  if (below) merge_touching();  // the gap that begin_at() left may touch the former first gap
  if (range.begin > high_water_) {
    const bool meets = !gaps_.empty() && gaps_.back().end == high_water_;
    gaps_.emplace_back(high_water_, range.begin, cause_of_gap, now_ms);
    if (meets) merge_touching();
  }
  high_water_ = std::max(high_water_, range.end);
  MUST(valid(), "a coverage is valid after add()");
  MUST(high_water_ >= before, "the high-water mark never goes back");
}

void Coverage::lose(ByteRange range, std::uint64_t origin, LossCause cause, std::int64_t now_ms) {
  if (range.empty()) return;
  begin_at(range.begin, origin, now_ms);
  std::vector<Gap> gaps;
  for (const auto& gap : gaps_) {
    const ByteRange inside{std::max(gap.begin, range.begin), std::min(gap.end, range.end)};
    if (inside.empty() || gap.cause != LossCause::kNotReceived) {
      gaps.push_back(gap);
      continue;
    }
    if (gap.begin < inside.begin) gaps.emplace_back(gap.begin, inside.begin, gap.cause, gap.since_ms);
    gaps.emplace_back(inside.begin, inside.end, cause, gap.since_ms);
    if (inside.end < gap.end) gaps.emplace_back(inside.end, gap.end, gap.cause, gap.since_ms);
  }
  if (range.begin > high_water_) gaps.emplace_back(high_water_, range.begin, LossCause::kNotReceived, now_ms);
  const auto news = std::max(range.begin, high_water_);
  if (news < range.end) gaps.emplace_back(news, range.end, cause, now_ms);
  high_water_ = std::max(high_water_, range.end);
  gaps_ = std::move(gaps);
  merge_touching();
  MUST(valid(), "a coverage is valid after lose()");
}

void Coverage::merge_touching() {
  std::vector<Gap> merged;
  for (const auto& gap : gaps_) {
    if (!merged.empty() && merged.back().end == gap.begin && merged.back().cause == gap.cause &&
        merged.back().since_ms == gap.since_ms) {
      merged.back().end = gap.end;
    } else {
      merged.push_back(gap);
    }
  }
  gaps_ = std::move(merged);
}

std::uint64_t Coverage::gap_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& gap : gaps_) bytes += gap.size();
  return bytes;
}

bool Coverage::valid() const {
  if (origin_ > high_water_) return false;
  auto after = origin_;
  for (const auto& gap : gaps_) {
    if (gap.empty() || gap.begin < after || gap.end > high_water_) return false;
    after = gap.end;
  }
  return true;
}

std::string_view to_string(LossCause cause) {
  switch (cause) {
    case LossCause::kNotReceived:
      return "not received";
    case LossCause::kReleased:
      return "released under disk pressure";
    case LossCause::kTruncatedUnread:
      return "truncated unread";
    case LossCause::kDeletedUnread:
      return "deleted unread";
    case LossCause::kUnreadable:
      return "unreadable";
    case LossCause::kSkippedByOperator:
      return "skipped by the operator";
    case LossCause::kRetention:
      return "retention of the topic";
    case LossCause::kWindowsRefused:
      return "windows that could not be added";
  }
  return "not received";
}

LossCause loss_cause_of(std::uint64_t number) {
  if (number <= 5 || number == 64 || number == 65) return static_cast<LossCause>(number);
  return LossCause::kNotReceived;
}

}  // namespace weir
