// One simulated world: writers that rotate their logs, agents, a cluster, aggregators, one database. A seed
// determines its shape and a list of actions. The same list always has the same effect.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::sim {

enum class Kind : std::uint8_t {
  kWrite,
  kRotate,
  kAgentWork,
  kAgentTick,
  kAdvance,
  kDeliver,
  kReplicate,
  kAggregatorStep,
  kAgentCrash,
  kAgentStop,
  kAggregatorCrash,
  kAggregatorStop,
  kSleep,
  kWake,
  kRebalance,
  kLeaderLoss,
  kBrokerAway,
  kBrokerBack,
  kStoreAway,
  kStoreBack,
  kFaults,
  kNoFaults,
  kRegistryHarm,
  kRetention,
  kPartitionAdded,
  kClockJump,
  kForeign,
  kCount,
};

struct Action {
  Kind kind = Kind::kWrite;
  std::uint64_t random = 0;  // decides everything else about the action
};

struct Schedule {
  std::uint64_t seed = 0;  // determines the world's shape
  std::vector<Action> actions;
};
[[nodiscard]] Schedule make_schedule(std::uint64_t seed);

struct Totals {
  std::uint64_t schedules = 0, actions = 0, lines = 0, counted = 0, crashes = 0, fenced = 0, lost_lines = 0,
                gap_bytes = 0, excused_lines = 0, statements_failed = 0;
};

// nullopt: every promise held. Otherwise the broken promise.
[[nodiscard]] std::optional<std::string> run_schedule(const Schedule& schedule, Totals& totals,
                                                      std::vector<std::string>* trace);

// The shortest list of actions found that still breaks a promise.
[[nodiscard]] Schedule shrink(const Schedule& failing);

}  // namespace weir::sim
