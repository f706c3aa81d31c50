#include "agent/follow/sent_ranges.h"

#include <algorithm>

#include "proto/must.h"

namespace weir {

void SentRanges::sent(std::uint64_t message_id, ByteRange range, std::string tail_hash) {
  MUST(!failed_, "nothing is sent behind a range that failed");
  MUST(range.begin == position(), "ranges are sent one after the other");
  MUST(range.end > range.begin, "a range that is sent has bytes");
  MUST(entries_.empty() || message_id > entries_.back().message_id, "the ids of messages ascend");
  entries_.push_back({message_id, range, std::move(tail_hash), false});
  ++outstanding_;
}

void SentRanges::settled(std::uint64_t message_id, bool acknowledged) {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& e) { return e.message_id == message_id; });
  if (found == entries_.end()) return;
  MUST(outstanding_ > 0 && !found->acknowledged, "a range is settled once");
  --outstanding_;
  if (acknowledged) {
    found->acknowledged = true;
  } else {
    failed_ = true;
  }
  // Only in order. Ranges after a failed one are sent again with it, and still counted once.
  while (!entries_.empty() && entries_.front().acknowledged) {
    MUST(entries_.front().range.end > acknowledged_offset_, "what is acknowledged only grows");
    acknowledged_offset_ = entries_.front().range.end;
    acknowledged_tail_ = std::move(entries_.front().tail_hash);
    entries_.erase(entries_.begin());
  }
  cuts_.erase(cuts_.begin(), std::upper_bound(cuts_.begin(), cuts_.end(), acknowledged_offset_));
  if (entries_.empty()) std::vector<Entry>().swap(entries_);  // most sources have nothing in flight
}

void SentRanges::check([[maybe_unused]] std::uint64_t offset) const {
#ifdef WEIR_MUST
  auto end = acknowledged_offset_;
  std::size_t outstanding = 0;
  for (const auto& entry : entries_) {
    MUST(entry.range.begin == end && entry.range.end > end,
         "ranges in flight follow each other without a hole");
    end = entry.range.end;
    outstanding += entry.acknowledged ? 0 : 1;
  }
  MUST(failed_ ? outstanding_ <= outstanding : outstanding_ == outstanding,
       "each range in flight is awaited, unless one failed");
  MUST(end <= offset, "nothing is in flight that was not read");
  for (std::size_t i = 1; i < cuts_.size(); ++i) MUST(cuts_[i - 1] < cuts_[i], "cuts ascend");
  MUST(cuts_.empty() || cuts_.front() > acknowledged_offset_, "cuts lie behind the acknowledged offset");
#endif
}

void SentRanges::rewound() {
  MUST(outstanding_ == 0, "reading starts again once nothing is awaited");
  entries_.clear();
  failed_ = false;
}

void SentRanges::passed(std::uint64_t offset, const std::string& tail_hash) {
  if (offset == acknowledged_offset_ && acknowledged_tail_.empty()) acknowledged_tail_ = tail_hash;
}

void SentRanges::unsend() {
  MUST(!entries_.empty() && outstanding_ > 0, "what is taken back was sent");
  entries_.pop_back();
  --outstanding_;
}

void SentRanges::cut_at(std::uint64_t end) {
  const auto at = std::lower_bound(cuts_.begin(), cuts_.end(), end);
  if (end > acknowledged_offset_ && (at == cuts_.end() || *at != end)) cuts_.insert(at, end);
}

std::uint64_t SentRanges::next_cut(std::uint64_t offset) const {
  const auto at = std::upper_bound(cuts_.begin(), cuts_.end(), offset);
  return at == cuts_.end() ? 0 : *at;
}

}  // namespace weir
