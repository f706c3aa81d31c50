// Decides which source is read next: live files before rotated ones, except for the backlog's share
// (docs/decisions/0015). Only Lanes writes Source::lane.
//
// In a round, each source that was waiting at its start gets one turn. Compressed files have their own queue
// within the rotated lane, and each is read to its end before the next.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "agent/follow/source.h"
#include "agent/follow/sources.h"
#include "agent/ship/backlog_budget.h"

namespace weir {

class Lanes {
 public:
  explicit Lanes(BacklogBudget::Limits limits = {}) : budget_(limits) {}
  void set_limits(BacklogBudget::Limits limits) { budget_ = BacklogBudget(limits); }

  // Puts the source at the end of its lane, unless it already waits.
  void enqueue(const std::shared_ptr<Source>& source);
  // Assigns each source to its lane. Waiting sources keep their order.
  void sort(const SourceTable& sources);
  [[nodiscard]] bool empty() const { return live_.empty() && rotated_.empty() && packed_.empty(); }

  // How much is in flight, and the limits.
  struct Load {
    std::uint64_t bytes = 0, max_bytes = 0;
    std::size_t messages = 0, max_messages = 0;
    bool stopping = false;
    std::int64_t now_ms = 0;  // from a monotonic clock
  };
  struct Turn {
    std::shared_ptr<Source> source;
    bool rotated = false, packed = false;
    bool contended = false;  // live files had more to read when the turn began
  };
  void begin_round();
  // Takes the next source out of its lane. nullopt: the round is over, or there is no room.
  [[nodiscard]] std::optional<Turn> next(const Load& load);
  struct Outcome {
    std::uint64_t read_bytes = 0;
    bool has_more = false;  // it read something and has more
    bool waits = false;     // it wants another turn
  };
  void finish(const Turn& turn, const Outcome& outcome);
  // The most that one turn of the source should read.
  [[nodiscard]] std::uint64_t turn_bytes(const Source& source, std::uint64_t most) const {
    return source.lane.rotated() ? budget_.turn_bytes(most) : most;
  }

  // Checks the invariant that a waiting source is in exactly one lane and no other source is in any.
  void check(const SourceTable& sources) const;

 private:
  using Queue = std::deque<std::shared_ptr<Source>>;
  enum class Lane { kNone, kLive, kRotated };
  [[nodiscard]] Lane next_lane(const Load& load);
  [[nodiscard]] Queue& queue_of(Lane lane);
  [[nodiscard]] bool contended() const { return live_turns_ > 0 || live_has_more_; }

  Queue live_, rotated_;
  Queue packed_;              // rotated and compressed
  bool packed_next_ = false;  // plain and compressed rotated files alternate
  BacklogBudget budget_;      // for the sources in rotated_ and packed_
  // Of this round.
  std::size_t live_turns_ = 0, rotated_turns_ = 0;
  bool live_has_more_ = false, rotated_has_more_ = false;  // more than a turn took
};

}  // namespace weir
