#include "tests/sim/broker.h"

#include <fmt/format.h>

#include <algorithm>

#include "proto/batch.h"

namespace weir::sim {
namespace {

constexpr std::int64_t kReplicaLagMs = 30'000;  // replica.lag.time.max.ms

}  // namespace

void Broker::replicate(std::int32_t p, std::int64_t messages) {
  auto& partition = partitions_[static_cast<std::size_t>(p)];
  for (; messages > 0 && partition.replicated < partition.end(); --messages) {
    auto& entry = partition.log[static_cast<std::size_t>(partition.replicated - partition.start)];
    if (auto* producer = std::exchange(entry.producer, nullptr)) producer->answered(entry.id, true);
    ++partition.replicated;
  }
}

void Broker::append(std::int32_t p, std::string payload) {
  auto& partition = partitions_[static_cast<std::size_t>(p)];
  partition.log.push_back(
      {std::move(payload), clock_.wall_ms(), partition.epoch, nullptr, 0, clock_.steady_ms()});
  replicate(p, 1'000'000);
}

// What only the leader had is lost. With acks = all, producers got no answer for it and send it again to the
// new leader. With lower acks they never learn of it.
std::size_t Broker::lose_leader(std::int32_t p) {
  auto& partition = partitions_[static_cast<std::size_t>(p)];
  // A follower that is further behind is not in sync and cannot become the leader.
  while (partition.replicated < partition.end() &&
         clock_.steady_ms() -
                 partition.log[static_cast<std::size_t>(partition.replicated - partition.start)].arrived_ms >=
             kReplicaLagMs)
    replicate(p, 1);
  std::vector<Entry> again;
  std::size_t lost = 0;
  while (partition.end() > partition.replicated) {
    if (partition.log.back().producer != nullptr) {
      again.push_back(std::move(partition.log.back()));
    } else {
      ++lost;
    }
    partition.log.pop_back();
  }
  ++partition.epoch;
  for (auto entry = again.rbegin(); entry != again.rend(); ++entry) {
    entry->epoch = partition.epoch;
    partition.log.push_back(std::move(*entry));
  }
  return lost;
}

std::int64_t Broker::retain(std::int32_t p, std::int64_t keep) {
  auto& partition = partitions_[static_cast<std::size_t>(p)];
  std::int64_t dropped = 0;
  for (; partition.replicated - partition.start > keep; ++dropped) {
    partition.log.pop_front();
    ++partition.start;
  }
  return dropped;
}

void Broker::forget(SimOutput* producer) {
  for (auto& partition : partitions_) {
    for (auto& entry : partition.log) {
      if (entry.producer == producer) entry.producer = nullptr;
    }
  }
}

// Redistributes the partitions among the members that are awake.
void Broker::rebalance(Random& random) {
  std::vector<SimSource*> awake;
  for (auto* member : members_) {
    if (!member->asleep_) awake.push_back(member);
  }
  // Sort by a property that is the same in each run, not by address.
  std::sort(awake.begin(), awake.end(), [](const auto* a, const auto* b) { return a->number_ < b->number_; });
  for (std::int32_t p = 0; p < partitions(); ++p)
    target_[p] = awake.empty() ? nullptr : awake[random.below(awake.size())];
  settle_rebalance();
}

void Broker::settle_rebalance() {
  for (auto& [p, target] : target_) {
    auto*& owner = owner_[p];
    if (owner == target) continue;
    if (owner != nullptr && !owner->asleep_) {
      // Ask it to revoke; the others wait for its answer.
      if (std::find(owner->revoking_.begin(), owner->revoking_.end(), p) != owner->revoking_.end()) continue;
      owner->revoking_.push_back(p);
      owner->events_.emplace_back(Revoked{{key_of(p)}, false});
      continue;
    }
    owner = target;
    if (target != nullptr) target->events_.emplace_back(Assigned{{key_of(p)}});
  }
}

Result<void> SimOutput::send(Message& message) {
  if (random_.per_mille(crash_per_mille)) throw Crash{};
  if (under_way_.size() >= 32 || random_.per_mille(full_per_mille))
    return fail(Code::kFull, "simulated: full");
  if (say) {
    const auto batch = decode_batch(message.payload);
    if (batch && batch->header.kind != BatchKind::kHeartbeat) {
      const auto& header = batch->header;
      say(fmt::format("  sends {} {} [{}, {}) of {} to partition {}",
                      header.kind == BatchKind::kLoss      ? "loss"
                      : header.kind == BatchKind::kClaim   ? "claim"
                      : header.kind == BatchKind::kWindows ? "windows"
                                                           : "lines",
                      header.source.hex().substr(0, 6), header.range.begin, header.range.end, header.path,
                      message.partition));
    }
  }
  under_way_.push_back(
      {message.id, message.partition, std::move(message.payload), (message.route == 1) != reads_windows});
  if (acks_ == Acks::kNone) answered(message.id, true);
  return {};
}

void SimOutput::poll() {
  for (const auto& [id, good] : std::exchange(answers_, {})) {
    const Error error{Code::kUnavailable, "simulated: refused", ""};
    on_settled_(id, good ? nullptr : &error);
  }
}

void SimOutput::answered(std::uint64_t id, bool good) { answers_.emplace_back(id, good); }

void SimOutput::arrive(UnderWay message, bool answer) {
  if (message.unread) {
    if (answer && acks_ != Acks::kNone) answered(message.id, true);
    return;
  }
  auto& partition = broker_.partitions_[static_cast<std::size_t>(message.partition)];
  const bool waits = answer && acks_ == Acks::kAll;
  partition.log.push_back({std::move(message.payload), broker_.clock_.wall_ms(), partition.epoch,
                           waits ? this : nullptr, message.id, broker_.clock_.steady_ms()});
  if (answer && acks_ == Acks::kLeader) answered(message.id, true);
}

void SimOutput::deliver(std::size_t messages) {
  for (; messages > 0 && !under_way_.empty() && broker_.up; --messages) {
    auto message = std::move(under_way_.front());
    under_way_.pop_front();
    if (acks_ == Acks::kNone) {
      if (random_.per_mille(lose_per_mille)) {
        lost += message.unread ? 0 : 1;
        continue;
      }
    } else if (random_.per_mille(refuse_per_mille)) {
      // It is answered with an error, which does not say whether the message was stored.
      const auto id = message.id;
      if (random_.chance(50)) arrive(std::move(message), false);
      answered(id, false);
      continue;
    }
    if (random_.per_mille(double_per_mille)) arrive(message, false);
    arrive(std::move(message), true);
  }
}

void SimOutput::die() {
  deliver(random_.below(under_way_.size() + 1));
  if (acks_ == Acks::kNone) lost += under_way_.size();
  under_way_.clear();
}

SimSource::~SimSource() {
  broker_.members_.erase(this);
  for (auto& [p, owner] : broker_.owner_) {
    if (owner == this) owner = nullptr;
  }
  for (auto& [p, target] : broker_.target_) {
    if (target == this) target = nullptr;
  }
}

void SimSource::wake_up() {
  asleep_ = false;
  // The group now reports what it lost meanwhile.
  Revoked lost;
  lost.lost = true;
  for (const auto& [p, position] : positions_) {
    const auto owner = broker_.owner_.find(p);
    if (owner == broker_.owner_.end() || owner->second != this) lost.partitions.push_back(key_of(p));
  }
  std::erase_if(events_, [&](const SourceEvent& event) {
    const auto* assigned = std::get_if<Assigned>(&event);
    if (assigned == nullptr) return false;
    const auto owner = broker_.owner_.find(assigned->partitions.front().partition);
    return owner == broker_.owner_.end() || owner->second != this;
  });
  std::erase_if(events_, [](const SourceEvent& event) { return std::holds_alternative<Revoked>(event); });
  revoking_.clear();
  answering_.clear();
  if (!lost.partitions.empty()) events_.emplace_back(std::move(lost));
}

Result<void> SimSource::poll(std::chrono::milliseconds, std::size_t max_events,
                             std::vector<SourceEvent>& out) {
  // One at a time, as librdkafka does: a revocation is answered before the next event.
  if (!events_.empty()) {
    if (const auto* revoked = std::get_if<Revoked>(&events_.front())) {
      for (const auto& partition : revoked->partitions) {
        positions_.erase(partition.partition);
        if (!revoked->lost) answering_.push_back(partition.partition);
      }
    }
    out.push_back(std::move(events_.front()));
    events_.pop_front();
    return {};
  }
  if (paused_ || !broker_.up) return {};
  const auto limit = std::min(max_events, max_messages);
  for (auto& [p, position] : positions_) {
    if (p >= broker_.partitions()) continue;
    const auto& partition = broker_.partition(p);
    if (position < partition.start || position > partition.replicated) {
      out.emplace_back(OffsetOutOfRange{key_of(p), position, partition.start});
      position = partition.start;
    }
    while (position < partition.replicated && out.size() < limit) {
      const auto& entry = partition.log[static_cast<std::size_t>(position - partition.start)];
      out.emplace_back(SourceMessage{key_of(p), position, entry.epoch, entry.payload, entry.timestamp_ms});
      ++position;
    }
  }
  return {};
}

Result<void> SimSource::start_at(const PartitionKey& partition, std::int64_t offset) {
  const auto owner = broker_.owner_.find(partition.partition);
  if (owner == broker_.owner_.end() || owner->second != this) return {};  // lost again meanwhile
  positions_[partition.partition] = offset < 0 ? broker_.partition(partition.partition).start : offset;
  return {};
}

void SimSource::revoked_done() {
  for (const auto p : std::exchange(answering_, {})) {
    std::erase(revoking_, p);
    const auto owner = broker_.owner_.find(p);
    if (owner != broker_.owner_.end() && owner->second == this) owner->second = nullptr;
  }
  broker_.settle_rebalance();
}

}  // namespace weir::sim
