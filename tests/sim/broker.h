// A Kafka cluster in memory with the promises that matter here: partitions with a leader's log and its
// replicated part, acks 0, 1 and all, messages in flight, duplicated, refused or delayed, a leader that is
// lost with everything only it had, retention, and one consumer group.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/ship/output.h"
#include "aggregator/source/source.h"
#include "tests/sim/clock.h"
#include "tests/sim/random.h"

namespace weir::sim {

enum class Acks { kNone, kLeader, kAll };

class SimOutput;
class SimSource;

class Broker {
 public:
  Broker(const SimClock& clock, std::int32_t partitions)
      : clock_(clock), partitions_(static_cast<std::size_t>(partitions)) {}

  struct Entry {
    std::string payload;
    std::int64_t timestamp_ms = 0;
    std::int32_t epoch = 0;
    SimOutput* producer = nullptr;  // waits for the answer; null: already answered, or dead
    std::uint64_t id = 0;
    std::int64_t arrived_ms = 0;  // steady
  };
  struct Partition {
    std::deque<Entry> log;
    std::int64_t start = 0;       // the offset of log.front()
    std::int64_t replicated = 0;  // lower offsets survive the leader's loss, and are visible to consumers
    std::int32_t epoch = 0;
    [[nodiscard]] std::int64_t end() const { return start + static_cast<std::int64_t>(log.size()); }
  };

  // Actions of the world on the broker.
  void replicate(std::int32_t partition, std::int64_t messages);
  std::size_t lose_leader(std::int32_t partition);                 // returns how many messages were lost with
                                                                   // it
  std::int64_t retain(std::int32_t partition, std::int64_t keep);  // returns how many messages were dropped
  void rebalance(Random& random);
  // From a foreign producer: replicated at once.
  void append(std::int32_t partition, std::string payload);
  void add_partition() { partitions_.emplace_back(); }
  [[nodiscard]] std::int32_t partitions() const { return static_cast<std::int32_t>(partitions_.size()); }
  [[nodiscard]] const Partition& partition(std::int32_t p) const {
    return partitions_[static_cast<std::size_t>(p)];
  }

  bool up = true;  // accepts and returns messages

 private:
  friend class SimOutput;
  friend class SimSource;
  void settle_rebalance();
  void forget(SimOutput* producer);

  const SimClock& clock_;
  std::vector<Partition> partitions_;
  std::set<SimSource*> members_;
  std::map<std::int32_t, SimSource*> owner_, target_;
};

// The producer of one agent process.
class SimOutput : public Output {
 public:
  SimOutput(Broker& broker, Random& random, Acks acks) : broker_(broker), random_(random), acks_(acks) {}
  ~SimOutput() override { broker_.forget(this); }
  SimOutput(const SimOutput&) = delete;
  SimOutput& operator=(const SimOutput&) = delete;

  void set_on_settled(Settled on_settled) override { on_settled_ = std::move(on_settled); }
  [[nodiscard]] Result<void> send(Message& message) override;
  [[nodiscard]] std::int32_t partition_count(std::size_t /*route*/) override {
    return broker_.up || known_ ? know() : 0;
  }
  void poll() override;
  [[nodiscard]] int readable_fd() const override { return -1; }
  [[nodiscard]] OutputStatus status() const override {
    return {.connected = broker_.up, .blocked_because = {}, .reconnects = 0};
  }

  // The world advances messages in flight: up to `messages` reach the leader.
  void deliver(std::size_t messages);
  // The process died. Some of its messages in flight arrive anyway.
  void die();

  std::uint64_t full_per_mille = 0, refuse_per_mille = 0, double_per_mille = 0, lose_per_mille = 0,
                crash_per_mille = 0;
  bool reads_windows = false;            // of the two topics, the aggregators read that of windows
  std::function<void(std::string)> say;  // for a traced run
  std::size_t lost = 0;                  // messages with acks = 0 that never arrived

 private:
  friend class Broker;
  struct UnderWay {
    std::uint64_t id;
    std::int32_t partition;
    std::string payload;
    bool unread = false;  // for the topic that nobody reads: only answers
  };
  std::int32_t know() {
    known_ = true;
    return broker_.partitions();
  }
  void arrive(UnderWay message, bool answer);
  void answered(std::uint64_t id, bool good);

  Broker& broker_;
  Random& random_;
  Acks acks_;
  Settled on_settled_;
  bool known_ = false;
  std::deque<UnderWay> under_way_;
  std::vector<std::pair<std::uint64_t, bool>> answers_;
};

// The consumer of one aggregator process.
class SimSource : public Source {
 public:
  // `number`: the process's number, so that nothing depends on addresses.
  SimSource(Broker& broker, std::uint64_t number) : broker_(broker), number_(number) {
    broker_.members_.insert(this);
  }
  ~SimSource() override;
  SimSource(const SimSource&) = delete;
  SimSource& operator=(const SimSource&) = delete;

  [[nodiscard]] Result<void> poll(std::chrono::milliseconds timeout, std::size_t max_events,
                                  std::vector<SourceEvent>& out) override;
  [[nodiscard]] Result<void> start_at(const PartitionKey& partition, std::int64_t offset) override;
  void revoked_done() override;
  void committed(const PartitionKey&, std::int64_t) override {}
  void pause(bool paused) override { paused_ = paused; }
  [[nodiscard]] std::string cluster_id() override { return "simulated"; }
  [[nodiscard]] std::string status() const override { return {}; }

  // Stops answering the group, which drops it without its knowledge.
  void fall_asleep() { asleep_ = true; }
  void wake_up();
  [[nodiscard]] bool asleep() const { return asleep_; }
  std::size_t max_messages = 64;  // returned by one poll

 private:
  friend class Broker;
  Broker& broker_;
  std::uint64_t number_;
  bool asleep_ = false, paused_ = false;
  std::deque<SourceEvent> events_;
  std::vector<std::int32_t> revoking_;   // revocation requested
  std::vector<std::int32_t> answering_;  // passed to the engine, which has not answered yet
  std::map<std::int32_t, std::int64_t> positions_;
};

inline PartitionKey key_of(std::int32_t partition) { return {"topic", partition}; }

}  // namespace weir::sim
