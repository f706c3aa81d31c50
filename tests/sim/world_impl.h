// The simulated world, shared by world.cc (processes), world_actions.cc (what happens) and world_check.cc
// (what must hold). No other file includes this.
#pragma once

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <map>
#include <set>

#include "agent/core.h"
#include "agent/tail/decompressor.h"
#include "aggregator/engine.h"
#include "proto/must.h"
#include "tests/sim/broker.h"
#include "tests/sim/clock.h"
#include "tests/sim/files.h"
#include "tests/sim/registry.h"
#include "tests/sim/store.h"
#include "tests/sim/world.h"
#include "tests/sim/writers.h"

namespace weir::sim {

inline constexpr const char* kFormat = "$host $msec $status $bytes_sent";
inline constexpr std::uint64_t kMaxInFlight = 4096;
inline constexpr std::uint64_t kBatchBytes = 1024;
inline constexpr std::uint64_t kMaxPendingBytes = 64 << 10;
inline constexpr int kMaxHealingRounds = 400;
inline constexpr int kHealingRounds = 60;  // one second each: longer than anything waits

struct Violation {
  std::string what;
};

struct Shape {
  std::size_t agents, files, aggregators;
  std::int32_t partitions;
  Acks acks;
  bool look_alikes;    // files begin with the same line
  bool archives;       // some logs are rotated into another folder
  bool rotated_match;  // rotated files match the globs, too
  bool harm_registry, retention, full_hints;
  bool meanwhile;  // writers act between two calls of the agent
  std::uint64_t hints_percent;
  std::uint64_t faults;  // 0: none, to 3: many
  Ship ship;
  bool switches;       // an agent switches from records to windows, and back
  bool reads_windows;  // with both topics: the aggregators read that of windows
};

[[nodiscard]] Shape shape_of(std::uint64_t seed);

struct AgentHost {
  std::size_t number = 0;
  AgentConfig config;
  RegistryDisk disk;
  std::unique_ptr<SimOutput> output;
  std::unique_ptr<AgentCore> core;
  std::vector<LogFile> files;
};

struct AggregatorHost {
  std::size_t number = 0;
  std::unique_ptr<SimSource> source;
  std::unique_ptr<Engine> engine;
};

class World {
 public:
  World(std::uint64_t seed, Totals& totals, std::vector<std::string>* trace)
      : shape_(shape_of(seed)),
        totals_(totals),
        trace_(trace),
        files_(clock_),
        writers_(files_, clock_, random_, shape_.look_alikes),
        broker_(clock_, shape_.partitions) {
    auto database = connect_sqlite(":memory:", false);
    if (!database) throw Violation{"the database could not be made: " + database.error().what};
    database_ = std::move(*database);
    if (auto made = open_store()->migrate(); !made) throw Violation{made.error().what};
    files_.between = [this] { write_meanwhile(); };
    files_.on_change = [this](const std::string& path, bool name_changed) { hint(path, name_changed); };
    for (std::size_t a = 0; a < shape_.agents; ++a) add_agent(a, seed);
    for (std::size_t i = 0; i < shape_.aggregators; ++i) {
      aggregators_.push_back(std::make_unique<AggregatorHost>());
      aggregators_.back()->number = i;
      start(*aggregators_.back());
    }
    broker_.rebalance(random_);
  }
  ~World() {
    for (auto& aggregator : aggregators_) stop(*aggregator);
    for (auto& agent : agents_) stop(*agent);
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void act(const Action& action);
  void heal();
  void check();

 private:
  void say(std::string what) {
    if (trace_ != nullptr) trace_->push_back(fmt::format("{:>8} ms  {}", clock_.steady_ms(), what));
  }
  void add_agent(std::size_t number, std::uint64_t seed);
  std::unique_ptr<Store> open_store(AggregatorHost* of = nullptr) {
    return make_sql_store(
        std::make_unique<SimConnection>(database_, random_, of == nullptr ? no_faults_ : store_faults_,
                                        [this, of] { at_begin(of); }),
        [](std::chrono::milliseconds) {});  // no real time passes here
  }
  void start(AgentHost& agent);
  void stop(AgentHost& agent);
  void start(AggregatorHost& aggregator);
  void stop(AggregatorHost& aggregator);
  // One function per Kind, see kActs in world_actions.cc.
  friend struct Acts;
  void write(const Action& action);
  void rotate(const Action& action);
  void agent_work(const Action& action);
  void agent_tick(const Action& action);
  void advance(const Action& action);
  void deliver(const Action& action);
  void replicate(const Action& action);
  void aggregator_step(const Action& action);
  void agent_crash(const Action& action);
  void agent_stop(const Action& action);
  void aggregator_crash(const Action& action);
  void aggregator_stop(const Action& action);
  void sleep(const Action& action);
  void wake(const Action& action);
  void rebalance(const Action& action);
  void leader_loss(const Action& action);
  void broker_comes_or_goes(const Action& action);
  void store_comes_or_goes(const Action& action);
  void faults(const Action& action);
  void no_faults(const Action& action);
  void registry_harm(const Action& action);
  void retention(const Action& action);
  void partition_added(const Action& action);
  void clock_jump(const Action& action);
  void foreign(const Action& action);
  template <class Body>
  void as(AgentHost& agent, Body body);
  template <class Body>
  void as(AggregatorHost& aggregator, Body body);
  void at_begin(AggregatorHost* of);
  void hint(const std::string& path, bool name_changed);
  void write_meanwhile();
  void set_faults(std::uint64_t level);
  void check_bounds(const AgentHost& agent);
  void check_bounds(const AggregatorHost& aggregator);
  void check_parts() const;
  using Counted = std::map<std::string, std::pair<std::uint64_t, std::uint64_t>>;  // site -> requests, bytes
  [[nodiscard]] Counted counted_lines();
  struct Reachable {
    std::set<std::string> sites;
    std::uint64_t alike = 0;  // lines of the site that many files begin with
  };
  [[nodiscard]] Reachable reachable_lines();

  [[nodiscard]] bool followed(const AgentHost& agent, const std::string& path) const;
  [[nodiscard]] bool settled();

  AgentHost& some_agent() { return *agents_[random_.below(agents_.size())]; }
  AggregatorHost& some_aggregator() { return *aggregators_[random_.below(aggregators_.size())]; }
  LogFile& some_file() {
    auto& agent = some_agent();
    return agent.files[random_.below(agent.files.size())];
  }

  Shape shape_;
  Totals& totals_;
  std::vector<std::string>* trace_;
  Random random_{1};
  SimClock clock_;
  SimFiles files_;
  Writers writers_;
  Broker broker_;
  std::shared_ptr<SqlConnection> database_;
  StoreFaults store_faults_, no_faults_;
  std::uint64_t registry_fail_per_mille_ = 0, registry_crash_per_mille_ = 0;
  std::uint64_t output_level_ = 0;
  std::vector<std::unique_ptr<AgentHost>> agents_;
  std::vector<std::unique_ptr<AggregatorHost>> aggregators_;
  std::set<std::string> foreign_;  // sites of lines that no agent sent
  std::uint64_t next_source_ = 0;
  bool lost_messages_ = false;  // acknowledged ones, or ones that the topic dropped
  bool never_seen_ = false;     // a dropped message belonged to a partition that the store had not seen
  bool asleep_at_begin_ = false;
  std::uint64_t meanwhile_per_mille_ = 0;
  bool writing_ = false;
  std::size_t nested_ = 0;
};

template <class Body>
void World::as(AgentHost& agent, Body body) {
  if (!agent.core) return;
  try {
    body();
    check_bounds(agent);
    check_parts();
  } catch (const Crash&) {
    say(fmt::format("agent {} crashes", agent.number));
    ++totals_.crashes;
    stop(agent);
  }
}

template <class Body>
void World::as(AggregatorHost& aggregator, Body body) {
  if (!aggregator.engine || aggregator.source->asleep()) return;
  try {
    body();
    check_bounds(aggregator);
    check_parts();
  } catch (const Crash&) {
    say(fmt::format("aggregator {} crashes", aggregator.number));
    ++totals_.crashes;
    stop(aggregator);
    broker_.rebalance(random_);
  }
}

}  // namespace weir::sim
