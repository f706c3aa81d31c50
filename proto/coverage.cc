#include "proto/coverage.h"

#include <algorithm>

namespace weir {

Coverage::Coverage(std::uint64_t origin, std::uint64_t high_water, const std::vector<ByteRange>& gaps)
    : origin_(origin), high_water_(high_water), started_(high_water > origin) {
  for (const auto& gap : gaps) {
    if (!gaps_.empty() && !gap.empty() && gaps_.back().end == gap.begin) {
      gaps_.back().end = gap.end;
    } else {
      gaps_.push_back(gap);
    }
  }
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
                                          [&](const ByteRange& gap) { return gap.end <= range.begin; });
  for (auto gap = first; gap != gaps_.end() && gap->begin < range.end; ++gap) piece(gap->begin, gap->end);
  piece(high_water_, range.end);
  return out;
}

void Coverage::add(ByteRange range, std::uint64_t origin) {
  if (range.empty()) return;
  if (!started_) {
    started_ = true;
    origin_ = std::min(origin, range.begin);
    high_water_ = range.end;
    if (origin_ < range.begin) gaps_.push_back({origin_, range.begin});
    return;
  }
  if (range.begin < origin_) {
    // The agent was told to begin earlier now (another start_at, a lost registry):
    // what lies between is meant to be read, and is a gap until it comes.
    if (range.end < origin_) {
      if (!gaps_.empty() && gaps_.front().begin == origin_) {
        gaps_.front().begin = range.end;  // one gap, not two that touch
      } else {
        gaps_.insert(gaps_.begin(), {range.end, origin_});
      }
    }
    origin_ = range.begin;
  }
  const auto first = std::partition_point(gaps_.begin(), gaps_.end(),
                                          [&](const ByteRange& gap) { return gap.end <= range.begin; });
  auto last = first;
  std::vector<ByteRange> remain;  // at most two: the ends that stick out
  for (; last != gaps_.end() && last->begin < range.end; ++last) {
    if (last->begin < range.begin) remain.push_back({last->begin, range.begin});
    if (last->end > range.end) remain.push_back({range.end, last->end});
  }
  if (first != last) {
    const auto at = gaps_.erase(first, last);
    gaps_.insert(at, remain.begin(), remain.end());
  }
  if (range.begin > high_water_) gaps_.push_back({high_water_, range.begin});
  high_water_ = std::max(high_water_, range.end);
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
    if (gap.begin == after && after != origin_) return false;  // two that touch are one
    after = gap.end;
  }
  return true;
}

}  // namespace weir
