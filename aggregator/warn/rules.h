// Decides when an alert fires and when it clears. Pure: facts in, new states and notices out.
//
// A sum over incomplete windows can only grow, so once it is above a level it stays above. Therefore "too
// much" may fire, and "too little" may clear, on any window that has ended. The other two transitions need
// complete windows, for which every agent has shipped its lines.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "aggregator/store/alerts.h"
#include "aggregator/store/traffic.h"
#include "aggregator/warn/warn_config.h"

namespace weir {

inline constexpr std::int64_t kAgentSilentAfterMs = 10 * 60 * 1000;

// Up to when windows are complete.
struct Completeness {
  std::int64_t settled_s = 0;   // windows that end here or earlier ended at least one window ago
  std::int64_t complete_s = 0;  // windows that end here or earlier get no more lines
  std::size_t agents = 0;       // those with a heartbeat within kAgentSilentAfterMs
};
[[nodiscard]] Completeness completeness_of(const std::vector<AgentState>& agents, std::int64_t now_ms,
                                           std::int64_t window_s);

// The time that a rule evaluates, [begin, end), and whether all of its lines have arrived.
struct RuleRange {
  std::int64_t begin_s = 0;
  std::int64_t end_s = 0;
  bool complete = false;
  friend auto operator<=>(const RuleRange&, const RuleRange&) = default;
};
[[nodiscard]] RuleRange range_of(const RuleConfig& rule, const Completeness& completeness,
                                 std::int64_t window_s);

// Keyed by site; "" is the total.
using SubjectSums = std::map<std::string, SubjectSum>;
[[nodiscard]] SubjectSums sum_subjects(const std::vector<TrafficRow>& rows);

struct RuleFacts {
  RuleConfig rule;
  RuleRange range;
  SubjectSums sums;           // over `range`
  bool known_before = false;  // whether the store has windows older than `range`
};

// An alert that fired or cleared. Channels turn it into letters.
struct Notice {
  RuleConfig rule;
  RuleRange range;
  std::string subject;
  bool firing = false;
  double value = 0;
  std::uint64_t requests = 0;      // within the range
  std::int64_t since_s = 0;        // since when the value has been past the level, or back
  std::int64_t fired_since_s = 0;  // for an alert that cleared: when it had fired
};

struct Evaluation {
  std::vector<AlertState> changed;  // rows to be written
  std::vector<Notice> notices;
  // Alerts that fired and are no longer watched: their rule was removed or watches another site.
  std::vector<AlertState> abandoned;
  std::size_t firing = 0;  // after this evaluation, over all rules
};

// `states`: what the store has. Alerts that no fact covers are set to kOk without a notice.
[[nodiscard]] Evaluation evaluate(const std::vector<RuleFacts>& facts, const std::vector<AlertState>& states,
                                  const std::vector<std::string>& sites);

}  // namespace weir
