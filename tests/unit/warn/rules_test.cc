#include "aggregator/warn/rules.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace weir {
namespace {

constexpr std::int64_t kNow = 1'800'000'030;  // in the middle of a window
constexpr std::int64_t kSettled = 1'799'999'940;

AgentState agent(std::int64_t heartbeat_s, std::int64_t watermark_s) {
  AgentState out;
  out.agent_id = "a";
  out.last_heartbeat_ms = heartbeat_s * 1000;
  out.watermark_ms = watermark_s * 1000;
  return out;
}

TrafficRow row(std::string site, std::uint16_t status, std::uint64_t requests, std::uint64_t bytes = 0) {
  TrafficRow out;
  out.site = std::move(site);
  out.status = status;
  out.sum.requests = requests;
  out.sum.flow_bytes = bytes;
  return out;
}

RuleConfig rule_above(double level) {
  RuleConfig rule;
  rule.name = "flood";
  rule.above = level;
  return rule;
}

RuleConfig rule_below(double level) {
  RuleConfig rule;
  rule.name = "drought";
  rule.below = level;
  return rule;
}

RuleFacts facts(RuleConfig rule, const std::vector<TrafficRow>& rows, std::int64_t end_s = kSettled,
                bool complete = true) {
  return {std::move(rule), {end_s - 60, end_s, complete}, sum_subjects(rows), true};
}

void keep(std::vector<AlertState>& states, const Evaluation& evaluation) {
  for (const AlertState& changed : evaluation.changed) {
    const auto found = std::find_if(states.begin(), states.end(), [&](const AlertState& s) {
      return s.rule == changed.rule && s.subject == changed.subject;
    });
    if (found == states.end()) {
      states.push_back(changed);
    } else {
      *found = changed;
    }
  }
}

TEST(Completeness, WithoutAgentsAWindowSettlesForOneWindow) {
  const Completeness out = completeness_of({}, kNow * 1000, 60);
  EXPECT_EQ(out.settled_s, kSettled);
  EXPECT_EQ(out.complete_s, kSettled);
  EXPECT_EQ(out.agents, 0U);
}

TEST(Completeness, IsThatOfTheLaggardAmongTheLiveAgents) {
  const Completeness out = completeness_of(
      {agent(kNow - 5, kNow - 1), agent(kNow - 9, kNow - 400), agent(kNow - 601, kNow - 9000)}, kNow * 1000,
      60);
  EXPECT_EQ(out.agents, 2U);
  EXPECT_EQ(out.complete_s, 1'799'999'580);
  const RuleRange range = range_of(rule_above(1), out, 60);
  EXPECT_EQ(range.end_s, kSettled) << "a laggard must not blind the rules";
  EXPECT_FALSE(range.complete);
}

TEST(Completeness, AgentsThatAreUpToDateMakeTheLastWindowComplete) {
  const Completeness out = completeness_of({agent(kNow, kNow)}, kNow * 1000, 60);
  EXPECT_EQ(out.complete_s, 1'800'000'000);
  RuleConfig rule = rule_above(1);
  rule.range = std::chrono::milliseconds(61'000);
  const RuleRange range = range_of(rule, out, 60);
  EXPECT_EQ(range.end_s, 1'800'000'000);
  EXPECT_EQ(range.begin_s, 1'800'000'000 - 120) << "whole windows";
  EXPECT_TRUE(range.complete);
}

TEST(Completeness, AnAgentThatHasNotSaidItsWatermarkHoldsWindowsOpen) {
  AgentState silent = agent(kNow, 0);
  silent.watermark_ms = kNoTime;
  EXPECT_EQ(completeness_of({silent}, kNow * 1000, 60).complete_s, 0);
}

TEST(Rules, FiresAtOnceAndClearsOnce) {
  std::vector<AlertState> states;
  Evaluation out = evaluate({facts(rule_above(10), {row("a", 200, 601)})}, states, {});
  ASSERT_EQ(out.notices.size(), 1U);
  EXPECT_TRUE(out.notices[0].firing);
  EXPECT_NEAR(out.notices[0].value, 601 / 60.0, 1e-9);
  EXPECT_EQ(out.firing, 1U);
  keep(states, out);
  out = evaluate({facts(rule_above(10), {row("a", 200, 601)}, kSettled + 60)}, states, {});
  EXPECT_TRUE(out.notices.empty());
  EXPECT_TRUE(out.changed.empty()) << "nothing new is not written again";
  EXPECT_EQ(out.firing, 1U);
  out = evaluate({facts(rule_above(10), {row("a", 200, 600)}, kSettled + 120)}, states, {});
  ASSERT_EQ(out.notices.size(), 1U);
  EXPECT_FALSE(out.notices[0].firing);
  EXPECT_EQ(out.notices[0].fired_since_s, kSettled);
  keep(states, out);
  out = evaluate({facts(rule_above(10), {row("a", 200, 600)}, kSettled + 180)}, states, {});
  EXPECT_TRUE(out.notices.empty());
  EXPECT_EQ(out.firing, 0U);
}

TEST(Rules, ExactlyAtTheLevelIsNotAbove) {
  EXPECT_TRUE(evaluate({facts(rule_above(10), {row("a", 200, 600)})}, {}, {}).notices.empty());
  EXPECT_TRUE(evaluate({facts(rule_below(10), {row("a", 200, 600)})}, {}, {}).notices.empty());
}

TEST(Rules, ForMustHoldAllTheTime) {
  RuleConfig rule = rule_above(10);
  rule.for_duration = std::chrono::milliseconds(120'000);
  std::vector<AlertState> states;
  const auto at = [&](std::int64_t offset_s, std::uint64_t requests) {
    Evaluation out = evaluate({facts(rule, {row("a", 200, requests)}, kSettled + offset_s)}, states, {});
    keep(states, out);
    return out;
  };
  EXPECT_TRUE(at(0, 700).notices.empty());
  EXPECT_EQ(states.at(0).phase, AlertPhase::kPending);
  EXPECT_TRUE(at(60, 700).notices.empty());
  EXPECT_TRUE(at(120, 600).notices.empty()) << "it dipped: begins again";
  EXPECT_EQ(states.at(0).phase, AlertPhase::kOk);
  EXPECT_TRUE(at(180, 700).notices.empty());
  EXPECT_TRUE(at(240, 700).notices.empty());
  const Evaluation fired = at(300, 700);
  ASSERT_EQ(fired.notices.size(), 1U);
  EXPECT_EQ(fired.notices[0].since_s, kSettled + 180);
}

TEST(Rules, ClearingLevelKeepsItFiringInBetween) {
  RuleConfig rule = rule_above(10);
  rule.clear = 5;
  std::vector<AlertState> states;
  keep(states, evaluate({facts(rule, {row("a", 200, 700)})}, states, {}));
  Evaluation out = evaluate({facts(rule, {row("a", 200, 420)}, kSettled + 60)}, states, {});
  EXPECT_TRUE(out.notices.empty());
  keep(states, out);
  EXPECT_EQ(evaluate({facts(rule, {row("a", 200, 300)}, kSettled + 120)}, states, {}).notices.size(), 1U);
}

TEST(Rules, AboveFiresOnIncompleteWindowsButClearsOnCompleteOnesOnly) {
  std::vector<AlertState> states;
  Evaluation out = evaluate({facts(rule_above(10), {row("a", 200, 700)}, kSettled, false)}, states, {});
  EXPECT_EQ(out.notices.size(), 1U);
  keep(states, out);
  EXPECT_TRUE(evaluate({facts(rule_above(10), {}, kSettled + 60, false)}, states, {}).notices.empty());
  EXPECT_EQ(evaluate({facts(rule_above(10), {}, kSettled + 60, true)}, states, {}).notices.size(), 1U);
}

TEST(Rules, BelowFiresOnCompleteWindowsOnly) {
  EXPECT_TRUE(evaluate({facts(rule_below(1), {}, kSettled, false)}, {}, {}).notices.empty());
  EXPECT_EQ(evaluate({facts(rule_below(1), {}, kSettled, true)}, {}, {}).notices.size(), 1U);
  RuleFacts young = facts(rule_below(1), {}, kSettled, true);
  young.known_before = false;
  EXPECT_TRUE(evaluate({young}, {}, {}).notices.empty()) << "an install of a minute ago is no drought";
}

TEST(Rules, AnIncompleteWindowNeitherEndsNorProlongsAPendingDrought) {
  RuleConfig rule = rule_below(1);
  rule.for_duration = std::chrono::milliseconds(60'000);
  std::vector<AlertState> states;
  keep(states, evaluate({facts(rule, {}, kSettled)}, states, {}));
  keep(states, evaluate({facts(rule, {}, kSettled + 60, false)}, states, {}));
  ASSERT_EQ(states.size(), 1U);
  EXPECT_EQ(states[0].phase, AlertPhase::kPending);
  EXPECT_EQ(states[0].since_s, kSettled);
  EXPECT_EQ(evaluate({facts(rule, {}, kSettled + 60)}, states, {}).notices.size(), 1U);
}

TEST(Rules, EachKnownSiteIsWatchedByItself) {
  RuleConfig rule = rule_below(1);
  rule.site = "*";
  const Evaluation out =
      evaluate({facts(rule, {row("busy", 200, 600)})}, {}, {"busy", "silent", std::string(kInvalidSite)});
  ASSERT_EQ(out.notices.size(), 1U);
  EXPECT_EQ(out.notices[0].subject, "silent");
}

TEST(Rules, OneSiteDoesNotSeeTheOthers) {
  RuleConfig rule = rule_above(1);
  rule.site = "a";
  EXPECT_TRUE(evaluate({facts(rule, {row("b", 200, 6000)})}, {}, {"a", "b"}).notices.empty());
  EXPECT_EQ(evaluate({facts(rule, {row("a", 200, 61)})}, {}, {"a", "b"}).notices.size(), 1U);
}

TEST(Rules, ShareOfAStatusClassNeedsEnoughRequests) {
  RuleConfig rule;
  rule.name = "errors";
  rule.metric = Metric::kStatusShare;
  rule.status_class = 5;
  rule.above = 0.1;
  rule.min_requests = 100;
  EXPECT_TRUE(evaluate({facts(rule, {row("a", 500, 99)})}, {}, {}).notices.empty());
  const Evaluation out =
      evaluate({facts(rule, {row("a", 200, 80), row("a", 502, 15), row("b", 503, 5)})}, {}, {});
  ASSERT_EQ(out.notices.size(), 1U);
  EXPECT_NEAR(out.notices[0].value, 0.2, 1e-9);
  EXPECT_TRUE(evaluate({facts(rule, {row("a", 200, 90), row("a", 500, 10)})}, {}, {}).notices.empty());
}

TEST(Rules, BandwidthIsOfTheBytesAsTheyFlowed) {
  RuleConfig rule;
  rule.name = "pipe";
  rule.metric = Metric::kBytesPerSecond;
  rule.above = 1000;
  const Evaluation out = evaluate({facts(rule, {row("a", 200, 1, 60'060)})}, {}, {});
  ASSERT_EQ(out.notices.size(), 1U);
  EXPECT_NEAR(out.notices[0].value, 1001, 1e-9);
}

TEST(Rules, ARuleThatWasTakenOutFiresNoLonger) {
  const std::vector<AlertState> states = {{"old", "", AlertPhase::kFiring, 5, 1},
                                          {"waits", "", AlertPhase::kPending, 5, 1},
                                          {"done", "", AlertPhase::kOk, 5, 1}};
  const Evaluation out = evaluate({}, states, {});
  ASSERT_EQ(out.changed.size(), 2U);
  EXPECT_EQ(out.changed[0].rule, "old");
  EXPECT_EQ(out.changed[0].phase, AlertPhase::kOk);
  EXPECT_EQ(out.changed[1].rule, "waits");
  EXPECT_EQ(out.changed[1].phase, AlertPhase::kOk);
  ASSERT_EQ(out.abandoned.size(), 1U) << "one did fire";
  EXPECT_EQ(out.abandoned[0].rule, "old");
  EXPECT_TRUE(out.notices.empty());
  EXPECT_EQ(out.firing, 0U);
}

TEST(Rules, TheTotalIsTheSumOfTheSites) {
  const SubjectSums sums = sum_subjects({row("a", 200, 3, 30), row("b", 404, 4, 40), row("b", 0, 1)});
  EXPECT_EQ(sums.at("").requests, 8U);
  EXPECT_EQ(sums.at("").flow_bytes, 70U);
  EXPECT_EQ(sums.at("b").by_class[4], 4U);
  EXPECT_EQ(sums.at("").by_class[0], 1U);
}

}  // namespace
}  // namespace weir
