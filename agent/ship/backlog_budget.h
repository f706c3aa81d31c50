// How much of what is read may be of rotated files, while live ones have something, too. Pure.
//
// Two accounts. The share: while live files have more than their turns took, rotated ones may read as
// many bytes as makes `percent` of the whole; a deficit is paid back before the next of their turns
// (deficit round robin, Shreedhar and Varghese 1995, with two lanes). While live files have nothing, it
// does not count. The rate: at most `bytes_per_s`, whatever the live ones do; a second's worth at once.
#pragma once

#include <cstdint>

namespace weir {

class BacklogBudget {
 public:
  struct Limits {
    unsigned percent = 25;          // 0 to 99; 0: only while live files have nothing
    std::uint64_t bytes_per_s = 0;  // 0: no limit
  };
  BacklogBudget() : BacklogBudget(Limits{}) {}
  explicit BacklogBudget(Limits limits) : limits_(limits) {}

  // A live file read so many bytes while rotated ones waited for their turn.
  void live_read(std::uint64_t bytes);
  // `contended`: live files had more at that moment.
  void backlog_read(std::uint64_t bytes, bool contended);
  // Whether a rotated file may have its turn. `now_ms` never goes back.
  [[nodiscard]] bool may_read(bool contended, std::int64_t now_ms);
  // The most that one turn should read, so that the rate is not kept by long pauses.
  [[nodiscard]] std::uint64_t turn_bytes(std::uint64_t most) const;

 private:
  void refill(std::int64_t now_ms);

  Limits limits_;
  std::int64_t credit_bytes_ = 0;  // of the share
  std::int64_t rate_bytes_ = 0;    // may be negative: a turn reads whole lines
  std::int64_t refilled_ms_ = 0;
  bool refilled_ = false;
};

}  // namespace weir
