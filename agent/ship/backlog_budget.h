// Limits how much is read from rotated files while live files also have something to read. Pure.
//
// It keeps two accounts. The share: while live files have more to read than their turns allow, rotated files
// may read `percent` of all bytes. A deficit is paid back before their next turn (deficit round robin,
// Shreedhar and Varghese 1995, with two lanes). While live files have nothing to read, the share does not
// apply. The rate: at most `bytes_per_s`, no matter what live files do, and at most one second's worth at
// once.
#pragma once

#include <cstdint>

namespace weir {

class BacklogBudget {
 public:
  struct Limits {
    unsigned percent = 25;          // 0 to 99. 0: read rotated files only while live files have nothing
    std::uint64_t bytes_per_s = 0;  // 0: no limit
  };
  BacklogBudget() : BacklogBudget(Limits{}) {}
  explicit BacklogBudget(Limits limits) : limits_(limits) {}

  // Call it when a live file has read this many bytes while rotated files waited for their turn.
  void live_read(std::uint64_t bytes);
  // Call it when a rotated file has read this many bytes. `contended`: live files had more to read at that
  // moment.
  void backlog_read(std::uint64_t bytes, bool contended);
  // Whether a rotated file may take its turn. `now_ms` never decreases.
  [[nodiscard]] bool may_read(bool contended, std::int64_t now_ms);
  // The most that one turn should read, so that the rate does not lead to large reads and long pauses.
  [[nodiscard]] std::uint64_t turn_bytes(std::uint64_t most) const;

 private:
  void refill(std::int64_t now_ms);

  Limits limits_;
  std::int64_t credit_bytes_ = 0;  // the account of the share
  std::int64_t rate_bytes_ = 0;  // the account of the rate; may be negative, because a turn reads whole lines
  std::int64_t refilled_ms_ = 0;
  bool refilled_ = false;
};

}  // namespace weir
