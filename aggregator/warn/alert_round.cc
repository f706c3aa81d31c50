#include "aggregator/warn/alert_round.h"

#include <map>
#include <utility>

#include "aggregator/warn/alert_text.h"
#include "aggregator/warn/mime.h"
#include "proto/must.h"

namespace weir {
namespace {

constexpr std::size_t kMaxRows = 2'000'000;

Result<SubjectSums> read_sums(const Traffic& traffic, const RuleRange& range) {
  TrafficQuery query;
  query.from_s = range.begin_s;
  query.to_s = range.end_s;
  query.by_site = true;
  query.by_status = true;
  const auto rows = traffic.traffic(query, kMaxRows);
  if (!rows) return std::unexpected(rows.error());
  return sum_subjects(*rows);
}

}  // namespace

std::vector<AlertEvent> events_of(const Evaluation& evaluation, std::int64_t now_s) {
  std::vector<AlertEvent> events;
  for (const Notice& notice : evaluation.notices) {
    AlertEvent event;
    event.at_s = now_s;
    event.rule = notice.rule.name;
    event.subject = notice.subject;
    event.phase = notice.firing ? AlertPhase::kFiring : AlertPhase::kOk;
    event.value = notice.value;
    event.severity = mail_line(notice.rule.severity);
    event.text = headline(notice);
    events.push_back(std::move(event));
  }
  for (const AlertState& state : evaluation.abandoned) {
    AlertEvent event;
    event.at_s = now_s;
    event.rule = state.rule;
    event.subject = state.subject;
    event.phase = AlertPhase::kOk;
    event.value = state.value;
    event.text =
        "the configuration does not watch " + subject_text(state.subject) + " with this rule any more";
    events.push_back(std::move(event));
  }
  return events;
}

Result<Evaluation> AlertRound::run(const AlertRoundConfig& config, const Traffic& traffic, Alerts& alerts,
                                   std::int64_t now_ms) {
  const auto states = alerts.alerts();
  if (!states) return std::unexpected(states.error());
  const auto facts = gather(config.rules, traffic, now_ms);
  if (!facts) return std::unexpected(facts.error());
  const auto sites = traffic.sites();
  if (!sites) return std::unexpected(sites.error());
  Evaluation evaluation = evaluate(*facts, *states, *sites);
  AlertChanges changes;
  changes.states = evaluation.changed;
  changes.letters = write_letters(evaluation.notices, config.channels, config.page_url, now_ms);
  changes.events = events_of(evaluation, now_ms / 1000);
  if (changes.states.empty() && changes.events.empty() && changes.letters.empty()) return evaluation;
  MUST(!changes.states.empty(), "letters and events come with the state that changed");
  if (const auto saved = alerts.save_alerts(changes); !saved) return std::unexpected(saved.error());
  return evaluation;
}

// Reads the sums that each rule evaluates. Rules with the same range share a query.
Result<std::vector<RuleFacts>> AlertRound::gather(const std::vector<RuleConfig>& rules,
                                                  const Traffic& traffic, std::int64_t now_ms) {
  const auto agents = traffic.agents();
  if (!agents) return std::unexpected(agents.error());
  const Completeness completeness = completeness_of(*agents, now_ms, window_s_);
  std::map<RuleRange, SubjectSums> sums;
  std::vector<RuleFacts> out;
  for (const RuleConfig& rule : rules) {
    const RuleRange range = range_of(rule, completeness, window_s_);
    auto found = sums.find(range);
    if (found == sums.end()) {
      auto read = read_sums(traffic, range);
      if (!read) return std::unexpected(read.error());
      found = sums.emplace(range, std::move(*read)).first;
    }
    const auto known = known_before(traffic, range.begin_s);
    if (!known) return std::unexpected(known.error());
    out.push_back({rule, range, found->second, *known});
  }
  return out;
}

// Whether the store has windows before `begin_s`. Once true, this stays true.
Result<bool> AlertRound::known_before(const Traffic& traffic, std::int64_t begin_s) {
  if (oldest_known_s_ && *oldest_known_s_ < begin_s) return true;
  const auto span = traffic.traffic_span();
  if (!span) return std::unexpected(span.error());
  if (!*span || (*span)->first_s >= begin_s) return false;
  oldest_known_s_ = (*span)->first_s;
  return true;
}

}  // namespace weir
