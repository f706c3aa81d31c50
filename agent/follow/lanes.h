// Whose turn it is to be read: live files before rotated ones, but for the share that the backlog has
// (docs/decisions/0015). It alone writes Source::lane.
//
// A round gives each source that waited when it began one turn. Compressed files have a queue of their
// own within the rotated lane: each is read to its end before the next.
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

  // To the end of its lane, unless it waits already.
  void enqueue(const std::shared_ptr<Source>& source);
  // Decides for each source which lane is its own. Those that wait keep their order.
  void sort(const SourceTable& sources);
  [[nodiscard]] bool empty() const { return live_.empty() && rotated_.empty() && packed_.empty(); }

  // What is in flight, and how much of it there may be.
  struct Load {
    std::uint64_t bytes = 0, max_bytes = 0;
    std::size_t messages = 0, max_messages = 0;
    bool stopping = false;
    std::int64_t now_ms = 0;  // of a clock that never goes back
  };
  struct Turn {
    std::shared_ptr<Source> source;
    bool rotated = false, packed = false;
    bool contended = false;  // live files had more when it began
  };
  void begin_round();
  // Takes the source out of its lane. None: the round is over, or there is no room.
  [[nodiscard]] std::optional<Turn> next(const Load& load);
  struct Outcome {
    std::uint64_t read_bytes = 0;
    bool has_more = false;  // it read something, and there is more
    bool waits = false;     // it wants another turn
  };
  void finish(const Turn& turn, const Outcome& outcome);
  // The most that one turn of it should read.
  [[nodiscard]] std::uint64_t turn_bytes(const Source& source, std::uint64_t most) const {
    return source.lane.rotated() ? budget_.turn_bytes(most) : most;
  }

  // Invariants: a source that waits is in exactly one lane, and no other is in any.
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
  BacklogBudget budget_;      // of what is in rotated_ and packed_
  // Of this round.
  std::size_t live_turns_ = 0, rotated_turns_ = 0;
  bool live_has_more_ = false, rotated_has_more_ = false;  // than a turn took
};

}  // namespace weir
