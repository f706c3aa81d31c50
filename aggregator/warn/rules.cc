#include "aggregator/warn/rules.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "common/moment.h"

namespace weir {
namespace {

// Sites that are no site: strangers make them come and go, so silence there means nothing.
bool is_pseudo_site(std::string_view site) {
  return site == kOtherSite || site == kNoSite || site == kInvalidSite;
}

struct Measured {
  double value = 0;
  bool enough = true;  // false: too few requests for a share to mean anything
  std::uint64_t requests = 0;
};

Measured measure(const RuleFacts& facts, const std::string& subject) {
  Measured out;
  SubjectSum sum;
  if (const auto found = facts.sums.find(subject); found != facts.sums.end()) sum = found->second;
  out.requests = sum.requests;
  const auto seconds =
      static_cast<double>(std::max<std::int64_t>(1, facts.range.end_s - facts.range.begin_s));
  if (facts.rule.metric == "bytes_per_second") {
    out.value = static_cast<double>(sum.flow_bytes) / seconds;
  } else if (facts.rule.metric == "status_share") {
    const std::string& name = facts.rule.status_class;
    const std::size_t index = !name.empty() && name[0] >= '1' && name[0] <= '5' ? name[0] - '0' : 0;
    out.enough = sum.requests > 0 && static_cast<double>(sum.requests) >= facts.rule.min_requests;
    if (sum.requests > 0) {
      out.value = static_cast<double>(sum.by_class[index]) / static_cast<double>(sum.requests);
    }
  } else {
    out.value = static_cast<double>(sum.requests) / seconds;
  }
  return out;
}

bool passes(const RuleFacts& facts, const Measured& measured) {
  if (!measured.enough) return false;
  if (facts.rule.above) return measured.value > *facts.rule.above;
  // Without windows before the range the range is not full of time that was watched.
  return facts.rule.below && facts.known_before && facts.range.complete && measured.value < *facts.rule.below;
}

bool clears(const RuleFacts& facts, const Measured& measured) {
  if (facts.rule.above) {
    if (!facts.range.complete) return false;
    return !measured.enough || measured.value <= facts.rule.clear.value_or(*facts.rule.above);
  }
  return !measured.enough || !facts.rule.below ||
         measured.value >= facts.rule.clear.value_or(*facts.rule.below);
}

class RuleEvaluation {
 public:
  RuleEvaluation(const RuleFacts& facts, Evaluation& out) : facts_(facts), out_(out) {}

  void subject(const std::string& subject, const AlertState* before) {
    const Measured measured = measure(facts_, subject);
    AlertState after =
        before != nullptr ? *before : AlertState{facts_.rule.name, subject, AlertPhase::kOk, 0, 0};
    if (after.phase == AlertPhase::kFiring) {
      if (clears(facts_, measured)) {
        notice(subject, measured, false, facts_.range.end_s, after.since_s);
        after.phase = AlertPhase::kOk;
        after.since_s = facts_.range.end_s;
      }
    } else if (passes(facts_, measured)) {
      if (after.phase != AlertPhase::kPending) {
        after.phase = AlertPhase::kPending;
        after.since_s = facts_.range.end_s;
      }
      const std::int64_t held_ms = (facts_.range.end_s - after.since_s) * 1000;
      if (held_ms >= facts_.rule.for_duration.count()) {
        after.phase = AlertPhase::kFiring;
        notice(subject, measured, true, after.since_s, after.since_s);
      }
    } else if (after.phase == AlertPhase::kPending && (facts_.rule.above || facts_.range.complete)) {
      // An incomplete range says nothing about "too little": it stays pending.
      after.phase = AlertPhase::kOk;
      after.since_s = facts_.range.end_s;
    }
    if (after.phase != AlertPhase::kOk || (before != nullptr && before->phase != AlertPhase::kOk))
      after.value = measured.value;
    if (after.phase == AlertPhase::kFiring) ++out_.firing;
    const bool changed = before == nullptr
                             ? after.phase != AlertPhase::kOk
                             : after.phase != before->phase || after.since_s != before->since_s ||
                                   after.value != before->value;
    if (changed) out_.changed.push_back(std::move(after));
  }

 private:
  void notice(const std::string& subject, const Measured& measured, bool firing, std::int64_t since_s,
              std::int64_t fired_since_s) {
    out_.notices.push_back({facts_.rule, facts_.range, subject, firing, measured.value, measured.requests,
                            since_s, fired_since_s});
  }

  const RuleFacts& facts_;
  Evaluation& out_;
};

}  // namespace

Completeness completeness_of(const std::vector<AgentState>& agents, std::int64_t now_ms,
                             std::int64_t window_s) {
  Completeness out;
  out.settled_s = floor_to(now_ms / 1000, window_s) - window_s;
  std::int64_t watermark_ms = now_ms;
  for (const AgentState& agent : agents) {
    if (now_ms - agent.last_heartbeat_ms > kAgentSilentAfterMs) continue;
    ++out.agents;
    watermark_ms = std::min(watermark_ms, std::max<std::int64_t>(0, agent.watermark_ms));
  }
  out.complete_s = out.agents == 0 ? out.settled_s : floor_to(watermark_ms / 1000, window_s);
  return out;
}

RuleRange range_of(const RuleConfig& rule, const Completeness& completeness, std::int64_t window_s) {
  const std::int64_t wanted_s = (rule.range.count() + 999) / 1000;
  const std::int64_t length_s = std::max(window_s, (wanted_s + window_s - 1) / window_s * window_s);
  // An agent that is stuck must not blind the rules that need no complete windows.
  const std::int64_t end_s = std::max(completeness.settled_s, completeness.complete_s);
  return {end_s - length_s, end_s, end_s <= completeness.complete_s};
}

SubjectSums sum_subjects(const std::vector<TrafficRow>& rows) {
  SubjectSums out;
  SubjectSum& total = out[""];
  for (const TrafficRow& row : rows) {
    const std::size_t index = row.status >= 100 && row.status < 600 ? row.status / 100U : 0;
    SubjectSum& site = out[row.site];
    for (SubjectSum* sum : {&total, &site}) {
      sum->requests += row.sum.requests;
      sum->flow_bytes += row.sum.flow_bytes;
      sum->by_class[index] += row.sum.requests;
      if (row.site.empty()) break;  // the total itself
    }
  }
  return out;
}

Evaluation evaluate(const std::vector<RuleFacts>& facts, const std::vector<AlertState>& states,
                    const std::vector<std::string>& sites) {
  Evaluation out;
  std::map<std::string_view, std::map<std::string_view, const AlertState*>> known;
  for (const AlertState& state : states) known[state.rule][state.subject] = &state;
  std::set<std::string_view> evaluated;
  for (const RuleFacts& fact : facts) {
    evaluated.insert(fact.rule.name);
    const auto& before = known[fact.rule.name];
    RuleEvaluation evaluation(fact, out);
    std::set<std::string> subjects;
    if (fact.rule.site == "*") {
      subjects.insert(sites.begin(), sites.end());
      for (const auto& [site, sum] : fact.sums) subjects.insert(site);
      subjects.erase("");
      if (fact.rule.below) std::erase_if(subjects, [](const std::string& s) { return is_pseudo_site(s); });
    } else {
      subjects.insert(fact.rule.site);
    }
    for (const std::string& subject : subjects) {
      const auto state = before.find(subject);
      evaluation.subject(subject, state == before.end() ? nullptr : state->second);
    }
    for (const auto& [subject, state] : before) {
      if (subjects.contains(std::string(subject)) || state->phase == AlertPhase::kOk) continue;
      AlertState gone = *state;  // the rule watches another site now
      gone.phase = AlertPhase::kOk;
      out.changed.push_back(std::move(gone));
    }
  }
  for (const AlertState& state : states) {
    if (evaluated.contains(state.rule) ||
        (state.phase != AlertPhase::kPending && state.phase != AlertPhase::kFiring))
      continue;
    AlertState gone = state;
    gone.phase = AlertPhase::kOk;
    out.changed.push_back(std::move(gone));
  }
  return out;
}

}  // namespace weir
