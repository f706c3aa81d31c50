#include <algorithm>
#include <utility>

#include "tests/sim/random.h"
#include "tests/sim/world.h"

namespace weir::sim {

Schedule make_schedule(std::uint64_t seed) {
  // The frequency of each kind. Repairs are as frequent as faults.
  static constexpr std::pair<Kind, std::uint64_t> kWeights[] = {
      {Kind::kWrite, 18},          {Kind::kRotate, 5},
      {Kind::kAgentWork, 24},      {Kind::kAgentTick, 12},
      {Kind::kAdvance, 12},        {Kind::kDeliver, 18},
      {Kind::kReplicate, 18},      {Kind::kAggregatorStep, 24},
      {Kind::kAgentCrash, 1},      {Kind::kAgentStop, 1},
      {Kind::kAggregatorCrash, 1}, {Kind::kAggregatorStop, 1},
      {Kind::kSleep, 1},           {Kind::kWake, 2},
      {Kind::kRebalance, 1},       {Kind::kLeaderLoss, 1},
      {Kind::kBrokerAway, 1},      {Kind::kBrokerBack, 4},
      {Kind::kStoreAway, 1},       {Kind::kStoreBack, 4},
      {Kind::kFaults, 2},          {Kind::kNoFaults, 1},
      {Kind::kRegistryHarm, 1},    {Kind::kRetention, 1},
      {Kind::kPartitionAdded, 1},  {Kind::kClockJump, 1},
      {Kind::kForeign, 6}};
  std::uint64_t sum = 0;
  for (const auto& [kind, weight] : kWeights) sum += weight;
  Schedule schedule;
  schedule.seed = seed;
  Random random(seed);
  const auto actions = 60 + random.below(240);
  for (std::uint64_t i = 0; i < actions; ++i) {
    auto pick = random.below(sum);
    Kind kind = Kind::kWrite;
    for (const auto& [candidate, weight] : kWeights) {
      kind = candidate;
      if (pick < weight) break;
      pick -= weight;
    }
    schedule.actions.push_back({kind, random.next()});
  }
  return schedule;
}

Schedule shrink(const Schedule& failing) {
  Schedule best = failing;
  int tries = 600;
  for (auto size = best.actions.size() / 2; size > 0;) {
    bool shorter = false;
    for (std::size_t at = 0; at < best.actions.size() && tries > 0; --tries) {
      auto candidate = best;
      const auto begin = candidate.actions.begin() + static_cast<std::ptrdiff_t>(at);
      candidate.actions.erase(begin,
                              begin + static_cast<std::ptrdiff_t>(std::min(size, best.actions.size() - at)));
      Totals unused;
      if (run_schedule(candidate, unused, nullptr)) {
        best = std::move(candidate);
        shorter = true;
      } else {
        at += size;
      }
    }
    if (tries == 0) break;
    if (!shorter || size > 1)
      size = size == 1 && !shorter ? 0 : std::max<std::size_t>(size / 2, shorter ? 1 : size / 2);
  }
  return best;
}

}  // namespace weir::sim
