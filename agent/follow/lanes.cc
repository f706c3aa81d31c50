#include "agent/follow/lanes.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>

#include "agent/tail/rotation.h"
#include "proto/must.h"

namespace weir {

void Lanes::enqueue(const std::shared_ptr<Source>& source) {
  if (std::exchange(source->lane.waits_, true)) return;
  auto& queue = !source->lane.rotated_ ? live_ : source->content->compressed() ? packed_ : rotated_;
  queue.push_back(source);
}

// A file is rotated if it is compressed, has a successor under its name, or is no longer the newest of its
// family. All others are live. That includes a file that was renamed and has no successor yet, because its
// writer still appends to it.
void Lanes::sort(const SourceTable& sources) {
  std::unordered_map<std::string, const Source*> newest;
  for (const auto& [key, source] : sources.followed()) {
    if (!source->present || source->content->compressed()) continue;
    const auto [at, first] = newest.try_emplace(log_family(source->path), source.get());
    if (!first && older_generation(at->second->path, source->path)) at->second = source.get();
  }
  bool changed = false;
  for (const auto& [key, source] : sources.followed()) {
    const auto newer = newest.find(log_family(source->path));
    const bool rotated = source->content->compressed() || sources.has_successor(*source) ||
                         (newer != newest.end() && newer->second != source.get());
    changed = changed || rotated != source->lane.rotated_;
    source->lane.rotated_ = rotated;
  }
  if (!changed) return;
  auto waiting = std::exchange(live_, {});
  for (auto* queue : {&rotated_, &packed_}) {
    waiting.insert(waiting.end(), queue->begin(), queue->end());
    queue->clear();
  }
  for (const auto& source : waiting) {
    source->lane.waits_ = false;
    enqueue(source);
  }
}

void Lanes::begin_round() {
  live_turns_ = live_.size();
  rotated_turns_ = rotated_.size() + packed_.size();
  live_has_more_ = rotated_has_more_ = false;
}

Lanes::Lane Lanes::next_lane(const Load& load) {
  if (load.bytes >= load.max_bytes || load.messages >= load.max_messages) return Lane::kNone;
  // Keep room for live files that have nothing to read now. Their next data must not wait until bytes of
  // rotated files are acknowledged.
  const bool room =
      contended() || (load.bytes < load.max_bytes / 4 * 3 && load.messages < load.max_messages / 4 * 3);
  // While stopping, only sources with a failed range get turns.
  const bool may = load.stopping || (room && budget_.may_read(contended(), load.now_ms));
  if (rotated_turns_ > 0 && may) return Lane::kRotated;
  // Rotated files have not used up their share, so the next round begins with them.
  if (rotated_has_more_ && contended() && may) return Lane::kNone;
  return live_turns_ > 0 ? Lane::kLive : Lane::kNone;
}

Lanes::Queue& Lanes::queue_of(Lane lane) {
  if (lane == Lane::kLive) return live_;
  if (packed_.empty() || rotated_.empty()) return packed_.empty() ? rotated_ : packed_;
  packed_next_ = !packed_next_;
  return packed_next_ ? packed_ : rotated_;
}

std::optional<Lanes::Turn> Lanes::next(const Load& load) {
  const auto lane = next_lane(load);
  if (lane == Lane::kNone) return std::nullopt;
  auto& queue = queue_of(lane);
  MUST(!queue.empty(), "a lane has the sources that it has turns for");
  Turn turn{queue.front(), lane == Lane::kRotated, &queue == &packed_, contended()};
  queue.pop_front();
  --(turn.rotated ? rotated_turns_ : live_turns_);
  turn.source->lane.waits_ = false;
  return turn;
}

void Lanes::finish(const Turn& turn, const Outcome& outcome) {
  if (turn.rotated) {
    budget_.backlog_read(outcome.read_bytes, turn.contended);
    rotated_has_more_ = rotated_has_more_ || outcome.has_more;
  } else {
    if (!rotated_.empty() || !packed_.empty()) budget_.live_read(outcome.read_bytes);
    live_has_more_ = live_has_more_ || outcome.has_more;
  }
  if (turn.packed && outcome.has_more && !std::exchange(turn.source->lane.waits_, true)) {
    packed_.push_front(turn.source);
  } else if (outcome.waits) {
    enqueue(turn.source);
  }
}

void Lanes::check([[maybe_unused]] const SourceTable& sources) const {
#ifdef WEIR_MUST
  std::unordered_map<const Source*, int> places;
  for (const auto* queue : {&live_, &rotated_, &packed_}) {
    for (const auto& source : *queue) {
      ++places[source.get()];
      MUST(source->lane.waits_, "a source in a lane waits for its turn");
    }
  }
  for (const auto& [source, count] : places) MUST(count == 1, "a source that waits is in exactly one lane");
  for (const auto& [key, source] : sources.followed())
    MUST(source->lane.waits_ == places.contains(source.get()), "a source that waits is in a lane");
  for (const auto& source : live_) MUST(!source->lane.rotated_, "the live lane has no rotated source");
  for (const auto& source : rotated_) MUST(source->lane.rotated_, "the rotated lane has no live source");
  for (const auto& source : packed_)
    MUST(source->lane.rotated_, "the lane of compressed files has no live source");
#endif
}

}  // namespace weir
