// Tracks the ranges of one source in flight, and how far it is acknowledged. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "proto/batch.h"

namespace weir {

// Ranges are kept in the order in which they were sent.
class SentRanges {
 public:
  // `tail_hash`: of the bytes before acknowledged_offset (see tail_hash()). "": not known.
  SentRanges(std::uint64_t acknowledged_offset, std::string tail_hash)
      : acknowledged_offset_(acknowledged_offset), acknowledged_tail_(std::move(tail_hash)) {}
  // `tail_hash`: of the bytes before range.end, as they were read.
  void sent(std::uint64_t message_id, ByteRange range, std::string tail_hash);
  // Records that a message is settled. A message sent before the last rewound() changes nothing.
  void settled(std::uint64_t message_id, bool acknowledged);
  [[nodiscard]] std::uint64_t acknowledged_offset() const { return acknowledged_offset_; }
  [[nodiscard]] const std::string& acknowledged_tail() const { return acknowledged_tail_; }
  // All bytes before it are sent or acknowledged. The next range begins here.
  [[nodiscard]] std::uint64_t position() const {
    return entries_.empty() ? acknowledged_offset_ : entries_.back().range.end;
  }
  // Whether nothing is in flight.
  [[nodiscard]] bool idle() const { return outstanding_ == 0; }
  [[nodiscard]] std::size_t in_flight() const { return entries_.size(); }
  // Whether a range has failed. Once idle(), reading restarts at acknowledged_offset().
  [[nodiscard]] bool failed() const { return failed_; }
  // Call it when reading restarts.
  void rewound();
  // Checks the invariants. `offset` is the reader's.
  void check(std::uint64_t offset) const;
  // `tail_hash` is of the bytes before `offset`. Kept if that is the acknowledged offset and its hash is not
  // known.
  void passed(std::uint64_t offset, const std::string& tail_hash);
  // Removes the newest range, which was not sent after all.
  void unsend();

  // The ends of batches that cannot be split, all after acknowledged_offset. A range that is sent again ends
  // at the same place.
  void cut_at(std::uint64_t end);
  [[nodiscard]] std::uint64_t next_cut(std::uint64_t offset) const;  // the first one after `offset`; 0: none
  [[nodiscard]] const std::vector<std::uint64_t>& cuts() const { return cuts_; }

 private:
  struct Entry {
    std::uint64_t message_id;
    ByteRange range;
    std::string tail_hash;
    bool acknowledged = false;
  };
  std::uint64_t acknowledged_offset_;
  std::string acknowledged_tail_;
  std::vector<Entry> entries_;       // most sources have none: an empty deque would hold 600 bytes
  std::vector<std::uint64_t> cuts_;  // ascending
  std::size_t outstanding_ = 0;
  bool failed_ = false;
};

}  // namespace weir
