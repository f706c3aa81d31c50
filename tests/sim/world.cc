#include "tests/sim/world.h"

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
#include "tests/sim/writers.h"

namespace weir::sim {
namespace {

using namespace std::chrono_literals;

constexpr const char* kFormat = "$host $msec $status $bytes_sent";
constexpr std::uint64_t kMaxInFlight = 4096;
constexpr std::uint64_t kBatchBytes = 1024;
constexpr std::uint64_t kMaxPendingBytes = 64 << 10;
constexpr int kMaxHealingRounds = 400;
constexpr int kHealingRounds = 60;  // of a second each: longer than anything waits

struct Violation {
  std::string what;
};

// So that the seed and the actions are printed, and shrunk.
[[noreturn]] void throw_violation(const char* file, int line, const char* sentence) {
  throw Violation{fmt::format("{}:{}: an invariant is broken: {}", file, line, sentence)};
}

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
  bool switches;       // an agent starts with records, and then with windows, and back
  bool reads_windows;  // of both
};

Shape shape_of(std::uint64_t seed) {
  Random random(seed ^ 0x5EED);
  Shape shape{};
  shape.agents = 1 + random.below(2);
  shape.files = 1 + random.below(2);
  shape.aggregators = 1 + random.below(3);
  shape.partitions = static_cast<std::int32_t>(1 + random.below(3));
  const auto acks = random.below(10);
  shape.acks = acks == 0 ? Acks::kNone : acks == 1 ? Acks::kLeader : Acks::kAll;
  shape.harm_registry = random.chance(30);
  shape.look_alikes = !shape.harm_registry && random.chance(25);
  shape.archives = !shape.harm_registry && random.chance(25);
  shape.rotated_match = random.chance(80);
  shape.retention = random.chance(10);
  shape.hints_percent = random.chance(30) ? 0 : random.chance(50) ? 60 : 100;
  shape.full_hints = shape.hints_percent == 100;
  shape.faults = random.below(4);
  shape.meanwhile = random.chance(50);
  const auto ship = random.below(10);
  shape.ship = ship < 4 ? Ship::kRecords : ship < 8 ? Ship::kWindows : Ship::kBoth;
  shape.switches = shape.ship != Ship::kBoth && random.chance(30);
  shape.reads_windows = shape.ship == Ship::kBoth && random.chance(70);
  return shape;
}

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
  bool lost_messages_ = false;  // that were acknowledged, or that the topic kept too short
  bool never_seen_ = false;     // of what the topic dropped
  bool asleep_at_begin_ = false;
  std::uint64_t meanwhile_per_mille_ = 0;
  bool writing_ = false;
  std::size_t nested_ = 0;
};

void World::add_agent(std::size_t number, std::uint64_t seed) {
  Random random(seed + 77 * (number + 1));
  agents_.push_back(std::make_unique<AgentHost>());
  auto& agent = *agents_.back();
  agent.number = number;
  auto& config = agent.config;
  config.id = fmt::format("agent{}", number);
  config.formats["sim"] = FormatSpec{FormatSpec::Kind::kNginx, kFormat, "default"};
  config.output.kafka.acks = shape_.acks == Acks::kAll ? "all" : shape_.acks == Acks::kLeader ? "1" : "0";
  config.ship.max_in_flight = kMaxInFlight;
  config.ship.batch_max_bytes = kBatchBytes;
  // None of the numbers below depends on these.
  Random budget(seed + 991 * (number + 1));
  config.ship.backlog.percent = static_cast<unsigned>(budget.below(3) * 45);
  if (budget.chance(25)) config.ship.backlog.bytes_per_s = 2 * kBatchBytes;
  config.tail.missing_after = 20s;
  config.output.kafka.ship = shape_.ship;
  config.ship.windows_interval = 2s;
  config.ship.windows_batch_max = 2 * kBatchBytes;
  InputConfig input;
  input.name = "web";
  input.format = "sim";
  input.max_line = 4096;
  for (std::size_t f = 0; f < shape_.files; ++f) {
    LogFile file;
    file.path = fmt::format("/a{}/f{}.log", number, f);
    file.scheme = static_cast<Scheme>(
        random.below(static_cast<std::uint64_t>(shape_.archives ? Scheme::kCount : Scheme::kArchive)));
    file.rotated_path =
        file.scheme == Scheme::kArchive ? fmt::format("/a{}/old/f{}.log", number, f) : file.path;
    input.paths.push_back(file.path);
    if (shape_.rotated_match) input.paths.push_back(file.rotated_path + ".*");
    agent.files.push_back(file);
  }
  config.inputs.push_back(input);
  for (auto& file : agent.files) writers_.begin_file(file);
  start(agent);
}

// ---- Processes

void World::start(AgentHost& agent) {
  agent.output = std::make_unique<SimOutput>(broker_, random_, shape_.acks);
  agent.output->reads_windows = shape_.reads_windows;
  if (shape_.switches && random_.chance(40)) {
    auto& ship = agent.config.output.kafka.ship;
    ship = ship == Ship::kRecords ? Ship::kWindows : Ship::kRecords;
    say(fmt::format("agent {} ships {} from now on", agent.number,
                    ship == Ship::kRecords ? "records" : "windows"));
  }
  set_faults(output_level_);
  auto registry = Registry::open(std::make_unique<SimRegistryFile>(
      agent.disk, random_, registry_fail_per_mille_, registry_crash_per_mille_));
  if (!registry) throw Violation{registry.error().what};
  AgentOptions options;
  if (trace_ != nullptr) {
    agent.output->say = [this](std::string what) { say(std::move(what)); };
    options.say = [this, number = agent.number](const std::string& what) {
      say(fmt::format("agent {} says: {}", number, what));
    };
  }
  auto core = AgentCore::create(agent.config,
                                {.output = *agent.output,
                                 .files = files_,
                                 .clock = clock_,
                                 .registry = std::move(*registry),
                                 .host = agent.config.id},
                                std::move(options));
  if (!core) throw Violation{core.error().what};
  agent.core = std::move(*core);
}

void World::stop(AgentHost& agent) {
  if (agent.output) {
    agent.output->die();
    lost_messages_ |= agent.output->lost > 0;
  }
  agent.core.reset();
  agent.output.reset();
}

void World::start(AggregatorHost& aggregator) {
  aggregator.source = std::make_unique<SimSource>(broker_, ++next_source_);
  EngineConfig config;
  config.settler.foreign_format = FormatSpec{FormatSpec::Kind::kNginx, kFormat, "default"};
  config.settle.max_pending_bytes = kMaxPendingBytes;
  config.owner = fmt::format("aggregator{}", aggregator.number);
  config.clock = &clock_;
  aggregator.engine = std::make_unique<Engine>(config, *aggregator.source,
                                               [this, &aggregator]() -> Result<std::unique_ptr<Store>> {
                                                 if (store_faults_.down)
                                                   return fail(Code::kUnavailable, "store: simulated away");
                                                 return open_store(&aggregator);
                                               });
  broker_.rebalance(random_);
}

void World::stop(AggregatorHost& aggregator) {
  aggregator.engine.reset();
  aggregator.source.reset();
}

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

// A transaction is about to begin. Now and then its process sleeps here, long enough for the
// group to give its partitions to others who go on with them; then it wakes and goes on.
void World::at_begin(AggregatorHost* of) {
  if (of == nullptr || !asleep_at_begin_ || nested_ > 0 || !random_.chance(10)) return;
  ++nested_;
  say(fmt::format("aggregator {} falls asleep before a transaction", of->number));
  of->source->fall_asleep();
  broker_.rebalance(random_);
  for (int round = 0; round < 6; ++round) {
    clock_.advance(400);
    for (auto& other : aggregators_) {
      if (other.get() != of) as(*other, [&] { std::ignore = other->engine->step(); });
    }
  }
  of->source->wake_up();
  broker_.rebalance(random_);
  say(fmt::format("aggregator {} wakes up", of->number));
  --nested_;
}

void World::hint(const std::string& path, bool name_changed) {
  if (!random_.chance(shape_.hints_percent)) return;
  for (auto& agent : agents_) {
    if (agent->core) agent->core->path_changed(path, name_changed);
  }
}

// The agent is in the middle of something, and the writers go on.
void World::write_meanwhile() {
  if (meanwhile_per_mille_ == 0 || writing_ || !random_.per_mille(meanwhile_per_mille_)) return;
  writing_ = true;
  auto& file = some_file();
  if (random_.chance(40)) {
    say(fmt::format("  meanwhile {} is rotated (scheme {}{})", file.path, static_cast<int>(file.scheme),
                    file.copied ? ", truncated" : ""));
    writers_.rotate(file);
  } else {
    const auto lines = 1 + random_.below(6);
    say(fmt::format("  meanwhile {} lines to {}", lines, file.path));
    writers_.write(file, lines);
  }
  writing_ = false;
}

void World::set_faults(std::uint64_t level) {
  output_level_ = level;
  meanwhile_per_mille_ = shape_.meanwhile && level > 0 ? 12 : 0;
  // A short read and an error behind it would send the first line alone of a file that has more: once such a
  // file is deleted nothing tells it from one that begins alike (docs/guarantees.md).
  files_.faults = {&random_, level * 5, shape_.look_alikes ? 0 : level * 50, level * 2};
  // A registry that was never written tells no look-alikes apart, and knows no file in another folder
  // (docs/guarantees.md).
  // Nor can what was sent as records be told from what never was, by whoever sends windows then.
  registry_fail_per_mille_ = shape_.look_alikes || shape_.archives || shape_.switches ? 0 : level * 50;
  registry_crash_per_mille_ = level * 10;
  const bool down = store_faults_.down;
  store_faults_ = {down, level * 6, level * 6, level * 2, level * 2, level * 4};
  for (auto& agent : agents_) {
    if (!agent->output) continue;
    agent->output->full_per_mille = level * 30;
    agent->output->refuse_per_mille = level * 30;
    agent->output->double_per_mille = level * 30;
    agent->output->lose_per_mille = level * 30;
    agent->output->crash_per_mille = level * 5;
  }
  asleep_at_begin_ = level > 0 && shape_.aggregators > 1;
}

void World::check_bounds(const AgentHost& agent) {
  // One batch may be over: it is read before its size is known. A hole needs no memory.
  if (std::any_of(agent.files.begin(), agent.files.end(),
                  [](const auto& file) { return file.scheme == Scheme::kCopyTruncateHole; }))
    return;
  const auto bytes = agent.core->status().in_flight_bytes;
  // The line that fills a batch may be as long as one here.
  const auto batch = shape_.ship == Ship::kRecords && !shape_.switches ? kBatchBytes : 2 * kBatchBytes;
  if (bytes > kMaxInFlight + batch + kBatchBytes)
    throw Violation{fmt::format("agent {} holds {} bytes", agent.number, bytes)};
}

void World::check_bounds(const AggregatorHost& aggregator) {
  const auto bytes = aggregator.engine->status().pending_bytes;
  if (bytes > kMaxPendingBytes + 64 * 8 * kBatchBytes)
    throw Violation{fmt::format("aggregator {} holds {} bytes", aggregator.number, bytes)};
}

// Each part's own invariants, so that a fault shows at the action that makes it. An aggregator that sleeps
// is in the middle of something.
void World::check_parts() const {
  for (const auto& agent : agents_) {
    if (agent->core) agent->core->check();
  }
  for (const auto& aggregator : aggregators_) {
    if (aggregator->engine && !aggregator->source->asleep()) aggregator->engine->check();
  }
}

// ---- What happens

void World::act(const Action& action) {
  random_ = Random(action.random);
  switch (action.kind) {
    case Kind::kWrite: {
      auto& file = some_file();
      const auto lines = 1 + random_.below(8);
      say(fmt::format("{} lines to {}", lines, file.path));
      writers_.write(file, lines);
      break;
    }
    case Kind::kRotate: {
      auto& file = some_file();
      say(fmt::format("{} is rotated (scheme {}{})", file.path, static_cast<int>(file.scheme),
                      file.copied ? ", truncated" : ""));
      writers_.rotate(file);
      break;
    }
    case Kind::kAgentWork: {
      auto& agent = some_agent();
      if (!agent.core && random_.chance(50)) {
        say(fmt::format("agent {} starts", agent.number));
        as(agent, [] {});
        start(agent);
      }
      as(agent, [&] {
        for (auto n = 1 + random_.below(4); n > 0 && agent.core->work(); --n) {
        }
        if (shape_.full_hints) agent.core->set_watched(agent.core->folders_to_watch());
      });
      say(fmt::format("agent {} works", agent.number));
      break;
    }
    case Kind::kAgentTick: {
      auto& agent = some_agent();
      as(agent, [&] { agent.core->tick(); });
      break;
    }
    case Kind::kAdvance:
      clock_.advance(static_cast<std::int64_t>(1 + random_.below(random_.chance(80) ? 600 : 12'000)));
      break;
    case Kind::kDeliver: {
      auto& agent = some_agent();
      if (agent.output) {
        const auto before = agent.output->lost;
        agent.output->deliver(1 + random_.below(6));
        lost_messages_ |= agent.output->lost != before;
      }
      break;
    }
    case Kind::kReplicate:
      broker_.replicate(
          static_cast<std::int32_t>(random_.below(static_cast<std::uint64_t>(broker_.partitions()))),
          static_cast<std::int64_t>(1 + random_.below(6)));
      break;
    case Kind::kAggregatorStep: {
      auto& aggregator = some_aggregator();
      if (!aggregator.engine && random_.chance(50)) {
        say(fmt::format("aggregator {} starts", aggregator.number));
        start(aggregator);
      }
      as(aggregator, [&] {
        for (auto n = 1 + random_.below(4); n > 0; --n) {
          aggregator.source->max_messages = 1 + random_.below(8);
          std::ignore = aggregator.engine->step();
        }
      });
      break;
    }
    case Kind::kAgentCrash: {
      auto& agent = some_agent();
      say(fmt::format("agent {} is killed", agent.number));
      ++totals_.crashes;
      stop(agent);
      break;
    }
    case Kind::kAgentStop: {
      auto& agent = some_agent();
      say(fmt::format("agent {} is stopped", agent.number));
      as(agent, [&] {
        agent.core->stop();
        agent.output->deliver(random_.below(8));
        agent.core->work();
        agent.core->finish();
      });
      stop(agent);
      break;
    }
    case Kind::kAggregatorCrash: {
      auto& aggregator = some_aggregator();
      say(fmt::format("aggregator {} is killed", aggregator.number));
      ++totals_.crashes;
      stop(aggregator);
      broker_.rebalance(random_);
      break;
    }
    case Kind::kAggregatorStop: {
      auto& aggregator = some_aggregator();
      say(fmt::format("aggregator {} is stopped", aggregator.number));
      as(aggregator, [&] { aggregator.engine->finish(); });
      stop(aggregator);
      broker_.rebalance(random_);
      break;
    }
    case Kind::kSleep: {
      auto& aggregator = some_aggregator();
      if (!aggregator.source) break;
      say(fmt::format("aggregator {} falls asleep", aggregator.number));
      aggregator.source->fall_asleep();
      broker_.rebalance(random_);
      break;
    }
    case Kind::kWake:
      for (auto& aggregator : aggregators_) {
        if (!aggregator->source || !aggregator->source->asleep()) continue;
        say(fmt::format("aggregator {} wakes up", aggregator->number));
        aggregator->source->wake_up();
      }
      broker_.rebalance(random_);
      break;
    case Kind::kRebalance:
      broker_.rebalance(random_);
      break;
    case Kind::kLeaderLoss: {
      const auto p =
          static_cast<std::int32_t>(random_.below(static_cast<std::uint64_t>(broker_.partitions())));
      const auto lost = broker_.lose_leader(p);
      say(fmt::format("partition {} loses its leader and {} messages that nobody waits for", p, lost));
      lost_messages_ |= lost > 0 && shape_.acks != Acks::kAll;
      break;
    }
    case Kind::kBrokerAway:
    case Kind::kBrokerBack:
      broker_.up = action.kind == Kind::kBrokerBack;
      say(broker_.up ? "the brokers are back" : "the brokers are away");
      break;
    case Kind::kStoreAway:
    case Kind::kStoreBack:
      store_faults_.down = action.kind == Kind::kStoreAway;
      say(store_faults_.down ? "the store is away" : "the store is back");
      break;
    case Kind::kFaults:
      set_faults(shape_.faults);
      say(fmt::format("faults of level {}", shape_.faults));
      break;
    case Kind::kNoFaults:
      set_faults(0);
      say("no faults");
      break;
    case Kind::kRegistryHarm: {
      if (!shape_.harm_registry) break;
      auto& agent = some_agent();
      stop(agent);
      if (random_.chance(30)) {
        say(fmt::format("agent {} is killed and its registry lost", agent.number));
        agent.disk.wipe();
        // Nobody knows any more where windows ended: what overlaps is refused, and in a gap.
        lost_messages_ |= shape_.ship != Ship::kRecords || shape_.switches;
      } else {
        say(fmt::format("agent {} is killed and the last writes of its registry are lost", agent.number));
        agent.disk.lose_last(1 + random_.below(6));
        // Of records nothing waits for the disk: a change to windows at that very start may not know of them.
        lost_messages_ |= shape_.switches;
      }
      break;
    }
    case Kind::kRetention: {
      if (!shape_.retention) break;
      const auto p =
          static_cast<std::int32_t>(random_.below(static_cast<std::uint64_t>(broker_.partitions())));
      const auto dropped = broker_.retain(p, static_cast<std::int64_t>(random_.below(6)));
      say(fmt::format("partition {} drops {} messages", p, dropped));
      lost_messages_ |= dropped > 0;
      if (dropped > 0) {
        // A store that never saw the partition begins with what the topic has, and misses nothing.
        auto row = database_->query("SELECT next_offset FROM partition_state WHERE partition_id = ?",
                                    {std::int64_t{p}});
        never_seen_ |= !row || row->empty() || number(row->front().front()) < 0;
      }
      break;
    }
    case Kind::kPartitionAdded:
      if (broker_.partitions() < 4 && random_.chance(20)) {
        say("a partition is added");
        broker_.add_partition();
        broker_.rebalance(random_);
      }
      break;
    case Kind::kClockJump:
      say("the clock is set");
      clock_.jump(static_cast<std::int64_t>(random_.below(7'200'000)) - 3'600'000);
      break;
    case Kind::kForeign: {
      // Lines without byte ranges: only their offsets keep them from being counted twice.
      auto line = writers_.new_line();
      line.pop_back();
      foreign_.insert(line.substr(0, line.find(' ')));
      broker_.append(
          static_cast<std::int32_t>(random_.below(static_cast<std::uint64_t>(broker_.partitions()))),
          std::move(line));
      break;
    }
    case Kind::kCount:
      break;
  }
  check_parts();
  ++totals_.actions;
}

bool World::settled() {
  for (auto& agent : agents_) {
    if (!agent->core || !agent->core->status().caught_up || agent->core->status().in_flight_bytes > 0)
      return false;
  }
  for (std::int32_t p = 0; p < broker_.partitions(); ++p) {
    auto row =
        database_->query("SELECT next_offset FROM partition_state WHERE partition_id = ?", {std::int64_t{p}});
    const auto next = !row || row->empty() ? 0 : std::max<std::int64_t>(0, number(row->front().front()));
    if (next != broker_.partition(p).end() && broker_.partition(p).end() > broker_.partition(p).start)
      return false;
  }
  return true;
}

// No more faults: everything must come to rest, within bounds.
void World::heal() {
  random_ = Random(99);
  say("---- all is healed");
  set_faults(0);
  store_faults_ = {};
  broker_.up = true;
  for (auto& agent : agents_) {
    for (auto& file : agent->files) {
      if (file.copied) writers_.rotate(file);
      writers_.write(file, 1);  // so that a loss at a file's end shows as a gap, too
      writers_.finish_line(file);
    }
    if (!agent->core) start(*agent);
  }
  for (auto& aggregator : aggregators_) {
    if (!aggregator->engine) start(*aggregator);
    if (aggregator->source->asleep()) aggregator->source->wake_up();
  }
  broker_.rebalance(random_);
  for (int round = 0;; ++round) {
    for (auto& agent : agents_) {
      as(*agent, [&] {
        agent->core->tick();
        for (int n = 0; n < 50 && agent->core->work(); ++n) agent->output->deliver(50);
        agent->output->deliver(50);
      });
    }
    for (std::int32_t p = 0; p < broker_.partitions(); ++p) broker_.replicate(p, 1'000'000);
    for (auto& agent : agents_) as(*agent, [&] { agent->core->work(); });
    for (auto& aggregator : aggregators_) {
      aggregator->source->max_messages = 64;
      for (int n = 0; n < 3; ++n) as(*aggregator, [&] { std::ignore = aggregator->engine->step(); });
    }
    clock_.advance(1000);
    if (round >= kHealingRounds && settled()) return;
    if (round == kMaxHealingRounds) {
      std::string why;
      for (auto& agent : agents_) {
        const auto status = agent->core->status();
        why += fmt::format("; agent {}: caught up {}, {} bytes in flight", agent->number, status.caught_up,
                           status.in_flight_bytes);
        for (const auto& source : status.sources)
          why += fmt::format(", {} {}/{}/{}", source.path, source.acknowledged_offset, source.read_offset,
                             source.size_bytes);
        for (const auto& problem : status.problems) why += ", " + problem;
      }
      for (auto& aggregator : aggregators_)
        why += fmt::format("; aggregator {}: {}", aggregator->number, aggregator->engine->status().problem);
      throw Violation{"it does not settle" + why};
    }
  }
}

bool World::followed(const AgentHost& agent, const std::string& path) const {
  const auto& globs = agent.config.inputs.front().paths;
  return std::any_of(globs.begin(), globs.end(), [&](const auto& glob) {
    return ::fnmatch(glob.c_str(), path.c_str(), FNM_PATHNAME) == 0;
  });
}

// Every line that can still be read is counted once, or its bytes are in a gap; none twice.
void World::check() {
  for (auto& aggregator : aggregators_) totals_.fenced += aggregator->engine->status().fenced;
  auto rows =
      database_->query("SELECT site, SUM(requests), SUM(bytes_sent) FROM window_traffic GROUP BY site", {});
  if (!rows) throw Violation{rows.error().what};
  std::map<std::string, std::pair<std::uint64_t, std::uint64_t>> counted;
  for (const auto& row : *rows)
    counted[text(row[0])] = {static_cast<std::uint64_t>(number(row[1])),
                             static_cast<std::uint64_t>(number(row[2]))};
  for (const auto& [site, sums] : counted) {
    const auto line = writers_.lines().find(site);
    if (line == writers_.lines().end())
      throw Violation{fmt::format("{} was counted and never written", site)};
    if (sums.first > line->second.written)
      throw Violation{fmt::format("{} was written {} times and counted {} times", site, line->second.written,
                                  sums.first)};
    if (sums.second != sums.first * line->second.bytes_sent)
      throw Violation{fmt::format("{} was counted with {} bytes", site, sums.second)};
    totals_.counted += sums.first;
  }
  std::set<std::string> reachable;
  std::uint64_t alike_reachable = 0;
  for (auto& agent : agents_) {
    for (const auto& [path, inode] : files_.names()) {
      if (!followed(*agent, path)) continue;
      std::string bytes = inode->bytes;
      if (path.ends_with(".gz")) {
        auto gz = std::move(*Decompressor::create(Compression::kGzip, path));
        std::string plain(1 << 20, '\0');
        const auto done = gz->run(bytes, plain.data(), plain.size());
        bytes = plain.substr(0, done ? done->produced : 0);
      }
      for (std::size_t at = 0; at < bytes.size();) {
        const auto end = std::min(bytes.find('\n', at), bytes.size());
        auto line = bytes.substr(at, end - at);
        line.erase(0, std::min(line.find_first_not_of('\0'), line.size()));
        const auto site = line.substr(0, line.find(' '));
        if (site == kAlikeSite) ++alike_reachable;
        if (end < bytes.size()) reachable.insert(site);
        at = end + 1;
      }
    }
  }
  if (!shape_.retention) reachable.insert(foreign_.begin(), foreign_.end());
  std::uint64_t missing_bytes = 0, missing = 0;
  std::string example;
  for (const auto& [site, line] : writers_.lines()) {
    totals_.lines += line.written;
    if (site == kAlikeSite || counted.contains(site)) continue;
    if (!reachable.contains(site)) {
      ++totals_.excused_lines;
      continue;
    }
    ++missing;
    missing_bytes += line.line_bytes;
    if (example.empty()) example = site;
  }
  totals_.lost_lines += missing;
  auto gaps = database_->query("SELECT COALESCE(SUM(end_offset - begin_offset), 0) FROM source_gap", {});
  const auto gap_bytes = gaps ? static_cast<std::uint64_t>(number(gaps->front().front())) : 0;
  totals_.gap_bytes += gap_bytes;
  if (missing == 0 && !(shape_.look_alikes && !lost_messages_ && counted[kAlikeSite].first < alike_reachable))
    return;
  if (missing == 0) {
    throw Violation{
        fmt::format("the line that many files begin with is there {} times and was counted {} times",
                    alike_reachable, counted[kAlikeSite].first)};
  }
  if (!lost_messages_)
    throw Violation{fmt::format("{} lines can be read and were not counted, {} for one; {} bytes are in gaps",
                                missing, example, gap_bytes)};
  // Messages that the topic dropped before anybody saw them are recorded by their offsets; what
  // was in them nobody knows.
  auto gone =
      database_->query("SELECT COUNT(*) FROM dead_letter WHERE CAST(reason AS TEXT) LIKE '%are gone%'", {});
  if (shape_.retention && (never_seen_ || (gone && number(gone->front().front()) > 0))) return;
  if (gap_bytes < missing_bytes)
    throw Violation{fmt::format("{} lines of {} bytes are lost ({} for one) and {} bytes are in gaps",
                                missing, missing_bytes, example, gap_bytes)};
}

}  // namespace

std::optional<std::string> run_schedule(const Schedule& schedule, Totals& totals,
                                        std::vector<std::string>* trace) {
  ++totals.schedules;
  set_must_handler(throw_violation);
  try {
    World world(schedule.seed, totals, trace);
    for (const auto& action : schedule.actions) world.act(action);
    world.heal();
    world.check();
  } catch (const Violation& violation) {
    return violation.what;
  }
  return std::nullopt;
}

}  // namespace weir::sim
