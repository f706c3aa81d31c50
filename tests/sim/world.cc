// The processes of the world, and the faults that they meet.
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/world_impl.h"

namespace weir::sim {

using namespace std::chrono_literals;

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
  // A separate generator, so that the numbers below do not depend on these.
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
    options.say = [this, number = agent.number](LogLevel, std::string_view what) {
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
  config.max_pending_bytes = kMaxPendingBytes;
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

// A transaction is about to begin. Occasionally its process sleeps here, long enough for the group to give
// its partitions to others, which continue with them. Then it wakes and continues.
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

// The agent is in the middle of an operation, and the writers keep writing.
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
  // A short read followed by an error would send only the first line of a longer file. Once such a file is
  // deleted, nothing distinguishes it from a file with the same beginning (docs/guarantees.md).
  files_.faults = {&random_, level * 5, shape_.look_alikes ? 0 : level * 50, level * 2};
  // A registry that was never written cannot distinguish look-alikes, and knows no file in another folder
  // (docs/guarantees.md). Nor can an agent that then sends windows tell what was sent as records from what
  // was never sent.
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
  // May exceed the limit by one batch, which is read before its size is known. A hole needs no memory.
  if (std::any_of(agent.files.begin(), agent.files.end(),
                  [](const auto& file) { return file.scheme == Scheme::kCopyTruncateHole; }))
    return;
  const auto bytes = agent.core->status().in_flight_bytes;
  // The line that fills a batch may be as long as the longest line here.
  const auto batch = shape_.ship == Ship::kRecords && !shape_.switches ? kBatchBytes : 2 * kBatchBytes;
  if (bytes > kMaxInFlight + batch + kBatchBytes)
    throw Violation{fmt::format("agent {} holds {} bytes", agent.number, bytes)};
}

void World::check_bounds(const AggregatorHost& aggregator) {
  const auto bytes = aggregator.engine->status().pending_bytes;
  if (bytes > kMaxPendingBytes + 64 * 8 * kBatchBytes)
    throw Violation{fmt::format("aggregator {} holds {} bytes", aggregator.number, bytes)};
}

namespace {

// So that the seed and the actions are printed and shrunk.
[[noreturn]] void throw_violation(const char* file, int line, const char* sentence) {
  throw Violation{fmt::format("{}:{}: an invariant is broken: {}", file, line, sentence)};
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
