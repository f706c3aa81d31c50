// What happens in the world: one function per kind of action.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "tests/sim/world_impl.h"

namespace weir::sim {

void World::write(const Action& /*action*/) {
  auto& file = some_file();
  const auto lines = 1 + random_.below(8);
  say(fmt::format("{} lines to {}", lines, file.path));
  writers_.write(file, lines);
}

void World::rotate(const Action& /*action*/) {
  auto& file = some_file();
  say(fmt::format("{} is rotated (scheme {}{})", file.path, static_cast<int>(file.scheme),
                  file.copied ? ", truncated" : ""));
  writers_.rotate(file);
}

void World::agent_work(const Action& /*action*/) {
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
}

void World::agent_tick(const Action& /*action*/) {
  auto& agent = some_agent();
  as(agent, [&] { agent.core->tick(); });
}

void World::advance(const Action& /*action*/) {
  clock_.advance(static_cast<std::int64_t>(1 + random_.below(random_.chance(80) ? 600 : 12'000)));
}

void World::deliver(const Action& /*action*/) {
  auto& agent = some_agent();
  if (agent.output) {
    const auto before = agent.output->lost;
    agent.output->deliver(1 + random_.below(6));
    lost_messages_ |= agent.output->lost != before;
  }
}

void World::replicate(const Action& /*action*/) {
  broker_.replicate(
      static_cast<std::int32_t>(random_.below(static_cast<std::uint64_t>(broker_.partitions()))),
      static_cast<std::int64_t>(1 + random_.below(6)));
}

void World::aggregator_step(const Action& /*action*/) {
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
}

void World::agent_crash(const Action& /*action*/) {
  auto& agent = some_agent();
  say(fmt::format("agent {} is killed", agent.number));
  ++totals_.crashes;
  stop(agent);
}

void World::agent_stop(const Action& /*action*/) {
  auto& agent = some_agent();
  say(fmt::format("agent {} is stopped", agent.number));
  as(agent, [&] {
    agent.core->stop();
    agent.output->deliver(random_.below(8));
    agent.core->work();
    agent.core->finish();
  });
  stop(agent);
}

void World::aggregator_crash(const Action& /*action*/) {
  auto& aggregator = some_aggregator();
  say(fmt::format("aggregator {} is killed", aggregator.number));
  ++totals_.crashes;
  stop(aggregator);
  broker_.rebalance(random_);
}

void World::aggregator_stop(const Action& /*action*/) {
  auto& aggregator = some_aggregator();
  say(fmt::format("aggregator {} is stopped", aggregator.number));
  as(aggregator, [&] { aggregator.engine->finish(); });
  stop(aggregator);
  broker_.rebalance(random_);
}

void World::sleep(const Action& /*action*/) {
  auto& aggregator = some_aggregator();
  if (!aggregator.source) return;
  say(fmt::format("aggregator {} falls asleep", aggregator.number));
  aggregator.source->fall_asleep();
  broker_.rebalance(random_);
}

void World::wake(const Action& /*action*/) {
  for (auto& aggregator : aggregators_) {
    if (!aggregator->source || !aggregator->source->asleep()) continue;
    say(fmt::format("aggregator {} wakes up", aggregator->number));
    aggregator->source->wake_up();
  }
  broker_.rebalance(random_);
}

void World::rebalance(const Action& /*action*/) { broker_.rebalance(random_); }

void World::leader_loss(const Action& /*action*/) {
  const auto p = static_cast<std::int32_t>(random_.below(static_cast<std::uint64_t>(broker_.partitions())));
  const auto lost = broker_.lose_leader(p);
  say(fmt::format("partition {} loses its leader and {} messages that nobody waits for", p, lost));
  lost_messages_ |= lost > 0 && shape_.acks != Acks::kAll;
}

void World::broker_comes_or_goes(const Action& action) {
  broker_.up = action.kind == Kind::kBrokerBack;
  say(broker_.up ? "the brokers are back" : "the brokers are away");
}

void World::store_comes_or_goes(const Action& action) {
  store_faults_.down = action.kind == Kind::kStoreAway;
  say(store_faults_.down ? "the store is away" : "the store is back");
}

void World::faults(const Action& /*action*/) {
  set_faults(shape_.faults);
  say(fmt::format("faults of level {}", shape_.faults));
}

void World::no_faults(const Action& /*action*/) {
  set_faults(0);
  say("no faults");
}

void World::registry_harm(const Action& /*action*/) {
  if (!shape_.harm_registry) return;
  auto& agent = some_agent();
  stop(agent);
  if (random_.chance(30)) {
    say(fmt::format("agent {} is killed and its registry lost", agent.number));
    agent.disk.wipe();
    // Where windows ended is no longer known: overlapping windows are refused and become a gap.
    lost_messages_ |= shape_.ship != Ship::kRecords || shape_.switches;
  } else {
    say(fmt::format("agent {} is killed and the last writes of its registry are lost", agent.number));
    agent.disk.lose_last(1 + random_.below(6));
    // Records do not wait for the disk, so a switch to windows at this very start may not know about them.
    lost_messages_ |= shape_.switches;
  }
}

void World::retention(const Action& /*action*/) {
  if (!shape_.retention) return;
  const auto p = static_cast<std::int32_t>(random_.below(static_cast<std::uint64_t>(broker_.partitions())));
  const auto dropped = broker_.retain(p, static_cast<std::int64_t>(random_.below(6)));
  say(fmt::format("partition {} drops {} messages", p, dropped));
  lost_messages_ |= dropped > 0;
  if (dropped > 0) {
    // A store that never saw the partition starts with what the topic still has, and misses nothing.
    auto row =
        database_->query("SELECT next_offset FROM partition_state WHERE partition_id = ?", {std::int64_t{p}});
    never_seen_ |= !row || row->empty() || number(row->front().front()) < 0;
  }
}

void World::partition_added(const Action& /*action*/) {
  if (broker_.partitions() < 4 && random_.chance(20)) {
    say("a partition is added");
    broker_.add_partition();
    broker_.rebalance(random_);
  }
}

void World::clock_jump(const Action& /*action*/) {
  say("the clock is set");
  clock_.jump(static_cast<std::int64_t>(random_.below(7'200'000)) - 3'600'000);
}

void World::foreign(const Action& /*action*/) {
  // Lines without byte ranges: only their offsets prevent counting them twice.
  auto line = writers_.new_line();
  line.pop_back();
  foreign_.insert(line.substr(0, line.find(' ')));
  broker_.append(static_cast<std::int32_t>(random_.below(static_cast<std::uint64_t>(broker_.partitions()))),
                 std::move(line));
}

struct Acts {
  Kind kind;
  void (World::*act)(const Action& action);
  static const std::array<Acts, static_cast<std::size_t>(Kind::kCount)> kAll;
};

const std::array<Acts, static_cast<std::size_t>(Kind::kCount)> Acts::kAll = {{
    {Kind::kWrite, &World::write},
    {Kind::kRotate, &World::rotate},
    {Kind::kAgentWork, &World::agent_work},
    {Kind::kAgentTick, &World::agent_tick},
    {Kind::kAdvance, &World::advance},
    {Kind::kDeliver, &World::deliver},
    {Kind::kReplicate, &World::replicate},
    {Kind::kAggregatorStep, &World::aggregator_step},
    {Kind::kAgentCrash, &World::agent_crash},
    {Kind::kAgentStop, &World::agent_stop},
    {Kind::kAggregatorCrash, &World::aggregator_crash},
    {Kind::kAggregatorStop, &World::aggregator_stop},
    {Kind::kSleep, &World::sleep},
    {Kind::kWake, &World::wake},
    {Kind::kRebalance, &World::rebalance},
    {Kind::kLeaderLoss, &World::leader_loss},
    {Kind::kBrokerAway, &World::broker_comes_or_goes},
    {Kind::kBrokerBack, &World::broker_comes_or_goes},
    {Kind::kStoreAway, &World::store_comes_or_goes},
    {Kind::kStoreBack, &World::store_comes_or_goes},
    {Kind::kFaults, &World::faults},
    {Kind::kNoFaults, &World::no_faults},
    {Kind::kRegistryHarm, &World::registry_harm},
    {Kind::kRetention, &World::retention},
    {Kind::kPartitionAdded, &World::partition_added},
    {Kind::kClockJump, &World::clock_jump},
    {Kind::kForeign, &World::foreign},
}};

void World::act(const Action& action) {
  random_ = Random(action.random);
  const auto row = std::find_if(Acts::kAll.begin(), Acts::kAll.end(),
                                [&](const Acts& one) { return one.kind == action.kind; });
  MUST(row != Acts::kAll.end(), "each kind of action has a row");
  (this->*row->act)(action);
  check_parts();
  ++totals_.actions;
}

}  // namespace weir::sim
