#include "aggregator/warn/rules.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>
#include <utility>

#include "proto/floor_to.h"
#include "proto/must.h"

namespace weir {
namespace {

// Pseudo-sites: clients can make them appear at will, so their silence means nothing.
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
  MUST(facts.range.begin_s < facts.range.end_s, "a rule looks at a range that is not empty");
  const MetricRow& metric = row_of(facts.rule.metric);
  out.value = metric.measure(sum, static_cast<double>(facts.range.end_s - facts.range.begin_s),
                             facts.rule.status_class);
  if (metric.is_share)
    out.enough = sum.requests > 0 && static_cast<double>(sum.requests) >= facts.rule.min_requests;
  MUST(std::isfinite(out.value) && out.value >= 0, "a metric is a finite number, not below 0");
  return out;
}

bool passes(const RuleFacts& facts, const Measured& measured) {
  if (!measured.enough) return false;
  if (facts.rule.above) return measured.value > *facts.rule.above;
  // Without windows before the range, part of the range may be from before weir was installed.
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

// ok -> pending -> firing -> ok. Pending may end in ok. Ok may become firing in one evaluation, through a
// pending phase of no duration.
bool may_follow(AlertPhase before, AlertPhase after) {
  return before != AlertPhase::kFiring || after != AlertPhase::kPending;
}

void check(const AlertState& before, const AlertState& after, const RuleRange& range) {
  MUST(may_follow(before.phase, after.phase), "an alert that fires clears before it is pending again");
  MUST(after.phase != AlertPhase::kFiring || before.phase != AlertPhase::kFiring ||
           after.since_s == before.since_s,
       "an alert that keeps firing fires since the same time");
  MUST(after.since_s == before.since_s || after.since_s <= range.end_s,
       "an alert changes at a time that was looked at");
}

class RuleEvaluation {
 public:
  RuleEvaluation(const RuleFacts& facts, Evaluation& out) : facts_(facts), out_(out) {
    MUST(facts.rule.above.has_value() != facts.rule.below.has_value(), "a rule has exactly one firing level");
  }

  void subject(const std::string& subject, const AlertState* known) {
    const AlertState before =
        known != nullptr ? *known : AlertState{facts_.rule.name, subject, AlertPhase::kOk, 0, 0};
    const Measured measured = measure(facts_, subject);
    AlertState after = before;
    if (before.phase == AlertPhase::kFiring) {
      if (clears(facts_, measured)) {
        change(after, AlertPhase::kOk);
        notice(measured, after, before.since_s);
      }
    } else if (passes(facts_, measured)) {
      if (before.phase == AlertPhase::kOk) change(after, AlertPhase::kPending);
      if ((facts_.range.end_s - after.since_s) * 1000 >= facts_.rule.for_duration.count()) {
        after.phase = AlertPhase::kFiring;  // since_s stays the time it became pending
        notice(measured, after, after.since_s);
      }
    } else if (before.phase == AlertPhase::kPending && (facts_.rule.above || facts_.range.complete)) {
      // An incomplete range says nothing about "too little": the alert stays pending.
      change(after, AlertPhase::kOk);
    }
    if (after.phase != AlertPhase::kOk || before.phase != AlertPhase::kOk) after.value = measured.value;
    if (after.phase == AlertPhase::kFiring) ++out_.firing;
    check(before, after, facts_.range);
    if (after != before) out_.changed.push_back(std::move(after));
  }

 private:
  void change(AlertState& state, AlertPhase phase) const {
    state.phase = phase;
    state.since_s = facts_.range.end_s;
  }

  void notice(const Measured& measured, const AlertState& state, std::int64_t fired_since_s) {
    Notice notice;
    notice.rule = facts_.rule;
    notice.range = facts_.range;
    notice.subject = state.subject;
    notice.firing = state.phase == AlertPhase::kFiring;
    notice.value = measured.value;
    notice.requests = measured.requests;
    notice.since_s = state.since_s;
    notice.fired_since_s = fired_since_s;
    out_.notices.push_back(std::move(notice));
  }

  const RuleFacts& facts_;
  Evaluation& out_;
};

// The subjects that a rule watches: one, or each known site.
std::set<std::string> subjects_of(const RuleFacts& facts, const std::vector<std::string>& sites) {
  if (facts.rule.site != "*") return {facts.rule.site};
  std::set<std::string> subjects(sites.begin(), sites.end());
  for (const auto& [site, sum] : facts.sums) subjects.insert(site);
  subjects.erase("");
  if (facts.rule.below) std::erase_if(subjects, [](const std::string& s) { return is_pseudo_site(s); });
  return subjects;
}

void abandon(const AlertState& state, Evaluation& out) {
  if (state.phase == AlertPhase::kOk) return;
  if (state.phase == AlertPhase::kFiring) out.abandoned.push_back(state);
  AlertState ended = state;
  ended.phase = AlertPhase::kOk;
  out.changed.push_back(std::move(ended));
}

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
  // A stuck agent must not blind the rules that do not need complete windows.
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
      if (row.site.empty()) break;  // this is the total itself
    }
  }
  return out;
}

Evaluation evaluate(const std::vector<RuleFacts>& facts, const std::vector<AlertState>& states,
                    const std::vector<std::string>& sites) {
  Evaluation out;
  std::map<std::string_view, std::map<std::string, const AlertState*>> known;
  for (const AlertState& state : states) known[state.rule][state.subject] = &state;
  std::set<std::string_view> evaluated;
  for (const RuleFacts& fact : facts) {
    evaluated.insert(fact.rule.name);
    const auto& before = known[fact.rule.name];
    RuleEvaluation evaluation(fact, out);
    const std::set<std::string> subjects = subjects_of(fact, sites);
    for (const std::string& subject : subjects) {
      const auto state = before.find(subject);
      evaluation.subject(subject, state == before.end() ? nullptr : state->second);
    }
    for (const auto& [subject, state] : before) {
      if (!subjects.contains(subject)) abandon(*state, out);
    }
  }
  for (const AlertState& state : states) {
    if (!evaluated.contains(state.rule)) abandon(state, out);
  }
  return out;
}

}  // namespace weir
