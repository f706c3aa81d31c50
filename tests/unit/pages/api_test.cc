#include "aggregator/pages/api.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <latch>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "aggregator/pages/metrics.h"
#include "aggregator/store/sql_store.h"
#include "tests/unit/test_store.h"

namespace weir {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::int64_t kNow = 1'800'000'030;
constexpr std::int64_t kMinute = 1'800'000'000;

class ApiTest : public ::testing::Test {
 protected:
  test::TestStore tables;
  EngineStatus engine;
  WarnerStatus warner;
  std::int64_t now_ms = kNow * 1000;
  Api api{PagesConfig{}, tables.opener(), [this] { return engine; }, [this] { return warner; },
          [this] { return now_ms; }};

  json get(std::string_view path, const Params& params = {}, int status = 200) {
    const Answer answer = api.get(path, params);
    EXPECT_EQ(answer.status, status) << answer.body;
    return json::parse(answer.body);
  }
};

TEST_F(ApiTest, SummaryAddsUpExactly) {
  tables.add(kMinute - 60, "a", "h1", 200, 9'007'199'254'740'000, 5'000'000'000'000, 10);
  tables.add(kMinute - 60, "a", "h2", 503, 7, 70, 1000);
  tables.add(kMinute, "b", "h1", 404, 3, 30, 20);
  const json out = get("/api/v1/summary");
  EXPECT_EQ(out["total"]["requests"], 9'007'199'254'740'010U);
  EXPECT_EQ(out["total"]["bytes_sent"], 5'000'000'000'100U);
  EXPECT_EQ(out["total"]["classes"]["5xx"], 7);
  EXPECT_EQ(out["total"]["classes"]["4xx"], 3);
  EXPECT_EQ(out["data"]["first_s"], kMinute - 60);
  EXPECT_EQ(out["data"]["end_s"], kMinute + 60);
  ASSERT_EQ(out["sites"].size(), 2U);
  EXPECT_EQ(out["sites"][1]["site"], "b");
  EXPECT_EQ(out["sites"][1]["requests"], 3);
  EXPECT_EQ(get("/api/v1/summary", {{"host", "h2"}})["total"]["requests"], 7);
  EXPECT_EQ(get("/api/v1/summary", {{"from", std::to_string(kMinute)}})["total"]["requests"], 3);
}

TEST_F(ApiTest, TheWindowThatHoldsFromIsPartOfTheRange) {
  tables.add(kMinute - 60, "a", "h", 200, 1, 1);
  tables.add(kMinute, "a", "h", 200, 10, 1);
  const Params half_way = {{"from", std::to_string(kMinute + 29)}};
  EXPECT_EQ(get("/api/v1/summary", half_way)["total"]["requests"], 10);
  EXPECT_EQ(get("/api/v1/traffic", half_way)["rows"][0]["requests"], 10);
}

// Counts the store's queries, and can make the first one wait.
struct Asked {
  std::mutex mutex;
  std::vector<TrafficQuery> traffic;
  std::size_t spans = 0;
  std::optional<std::latch> hold;  // traffic() waits for this
};

class CountingStore : public SqlStore {
 public:
  CountingStore(std::unique_ptr<SqlConnection> connection, Asked& asked)
      : SqlStore(std::move(connection), sleep_for), asked_(asked) {}
  Result<std::vector<TrafficRow>> traffic(const TrafficQuery& query, std::size_t max_rows) const override {
    {
      const std::lock_guard lock(asked_.mutex);
      asked_.traffic.push_back(query);
    }
    if (asked_.hold) asked_.hold->wait();
    return SqlStore::traffic(query, max_rows);
  }
  Result<std::optional<Span>> traffic_span() const override {
    {
      const std::lock_guard lock(asked_.mutex);
      ++asked_.spans;
    }
    return SqlStore::traffic_span();
  }

 private:
  Asked& asked_;
};

class AskedApiTest : public ApiTest {
 protected:
  Asked asked;
  Api counted{PagesConfig{},
              [this]() -> Result<std::unique_ptr<Store>> {
                return std::make_unique<CountingStore>(tables.connect(), asked);
              },
              [this] { return engine; }, [this] { return warner; }, [this] { return now_ms; }};
};

TEST_F(AskedApiTest, NoQuestionReadsBeyondItsRange) {
  for (std::int64_t day = 0; day < 40; ++day) tables.add(kMinute - day * 86400, "a", "h", 200, 1, 1);
  const std::int64_t hour_ago = kNow - 3600;
  for (const char* path : {"/api/v1/summary", "/api/v1/traffic"})
    EXPECT_EQ(counted.get(path, {{"from", "-1h"}}).status, 200);
  EXPECT_EQ(counted.get("/api/v1/agents", {}).status, 200);
  ASSERT_EQ(asked.traffic.size(), 2U);
  for (const TrafficQuery& query : asked.traffic) {
    EXPECT_GE(query.from_s.value(), hour_ago - 60);
    EXPECT_LE(query.to_s.value(), kMinute + 60);
  }
  EXPECT_GE(asked.spans, 2U);
}

TEST_F(AskedApiTest, ARangeWithoutDataAsksForNoTraffic) {
  tables.add(kMinute - 7200, "a", "h", 200, 1, 1);
  EXPECT_EQ(counted.get("/api/v1/summary", {{"from", "-1h"}}).status, 200);
  EXPECT_EQ(counted.get("/api/v1/traffic", {{"to", "2020-01-01"}}).status, 200);
  EXPECT_TRUE(asked.traffic.empty());
}

TEST_F(AskedApiTest, HostsAreReadFromTheirListAndNewAgentsShowAtOnce) {
  tables.add(kMinute, "a", "h", 200, 1, 1);
  const auto hosts = [&] { return json::parse(counted.get("/api/v1/hosts", {}).body)["hosts"]; };
  EXPECT_EQ(hosts(), json({"h"}));
  AgentState agent;
  agent.host = "new";
  tables.put(agent);
  EXPECT_EQ(hosts(), json({"h", "new"}));
  EXPECT_TRUE(asked.traffic.empty());
}

TEST_F(AskedApiTest, ConcurrentIdenticalQuestionsShareOneAnswer) {
  tables.add(kMinute, "a", "h", 200, 42, 1);
  asked.hold.emplace(1);
  const auto ask = [&] { return counted.get("/api/v1/summary", {{"from", "-1h"}}); };
  auto first = std::async(std::launch::async, ask);
  auto second = std::async(std::launch::async, ask);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  const auto questions = [&] {
    const std::lock_guard lock(asked.mutex);
    return asked.traffic.size();
  };
  while (counted.sharing() == 0 && questions() < 2 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::yield();
  asked.hold->count_down();
  const Answer answers[] = {first.get(), second.get()};
  EXPECT_EQ(questions(), 1U);
  EXPECT_THAT(answers[0].body, HasSubstr("\"requests\":42"));
  EXPECT_EQ(answers[0].body, answers[1].body);
  EXPECT_EQ(ask().status, 200);
  EXPECT_EQ(questions(), 2U) << "an answer is not kept";
}

TEST_F(ApiTest, TheListOfRoutesNamesEachOnceAndSaysWhatItIs) {
  const json list = get("/api/v1")["routes"];
  std::set<std::string> paths;
  for (const json& route : list) {
    EXPECT_TRUE(paths.insert(route["path"].get<std::string>()).second) << route;
    EXPECT_FALSE(route["doc"].get<std::string>().empty()) << route;
    const Answer answer = api.get(route["path"].get<std::string>(), {});
    EXPECT_TRUE(answer.status == 200 || answer.status == 503) << route << answer.body;
    const Answer wrong = api.get(route["path"].get<std::string>(), {{"nope", "1"}});
    EXPECT_EQ(wrong.status, 400) << route;
    EXPECT_THAT(wrong.body, HasSubstr(route["parameters"].get<std::string>()));
  }
  EXPECT_GE(paths.size(), 11U);
}

TEST_F(ApiTest, TrafficSaysUpToWhenItIsComplete) {
  tables.add(kMinute - 3600, "a", "h", 200, 1, 1);
  AgentState agent;
  agent.host = "h";
  agent.last_heartbeat_ms = now_ms - 1000;
  agent.watermark_ms = now_ms - 1000;
  tables.put(agent);
  const json known = get("/api/v1/traffic", {{"from", "-30m"}, {"to", "now"}, {"step", "1m"}})["known"];
  EXPECT_EQ(known["complete_s"], kMinute);
  EXPECT_EQ(known["draw_from_s"], kMinute - 1800) << "the window that holds `from` is read whole";
  EXPECT_EQ(known["draw_to_s"], kMinute) << "zeros, as the agent has shipped everything";
  EXPECT_EQ(get("/api/v1/agents")["complete_s"], kMinute);
}

TEST_F(ApiTest, AnEmptyStoreIsNoError) {
  const json out = get("/api/v1/summary");
  EXPECT_EQ(out["total"]["requests"], 0);
  EXPECT_TRUE(out["data"].is_null());
  EXPECT_TRUE(out["total"]["latency"].is_null());
  EXPECT_TRUE(get("/api/v1/traffic", {{"step", "auto"}})["rows"].empty());
}

TEST_F(ApiTest, TrafficByClassMergesStatusesAndLatencies) {
  tables.add(kMinute, "a", "h", 500, 1, 10, 100);
  tables.add(kMinute, "a", "h", 502, 3, 30, 100);
  tables.add(kMinute, "a", "h", 200, 5, 50, 10);
  const json out = get("/api/v1/traffic", {{"step", "1m"}, {"by", "class"}});
  ASSERT_EQ(out["rows"].size(), 2U);
  EXPECT_EQ(out["step_s"], 60);
  EXPECT_EQ(out["rows"][0]["class"], "2xx");
  EXPECT_EQ(out["rows"][1]["class"], "5xx");
  EXPECT_EQ(out["rows"][1]["requests"], 4);
  EXPECT_EQ(out["rows"][1]["start_s"], kMinute);
  EXPECT_EQ(out["rows"][1]["latency"]["count"], 4);
  EXPECT_NEAR(out["rows"][1]["latency"]["p50_ms"], 100, 2);
  EXPECT_EQ(get("/api/v1/traffic", {{"step", "1m"}, {"by", "status"}})["rows"].size(), 3U);
}

TEST_F(ApiTest, TooManyPointsAreRefusedWithASentence) {
  tables.add(kMinute - 30 * 86400, "a", "h", 200, 1, 1);
  tables.add(kMinute, "a", "h", 200, 1, 1);
  const json out = get("/api/v1/traffic", {{"step", "1m"}}, 400);
  EXPECT_THAT(out["error"]["what"].get<std::string>(), HasSubstr("2000"));
  EXPECT_THAT(out["error"]["hint"].get<std::string>(), HasSubstr("step=auto"));
  EXPECT_EQ(get("/api/v1/traffic", {{"step", "auto"}})["rows"].size(), 2U);
}

TEST_F(ApiTest, HostileBytesAreStillJson) {
  tables.add(kMinute, "a\xff\"<script>", "h", 200, 1, 1);
  SourceState source;
  source.path = "/var/log/\xc3\x28\n.log";
  tables.put(source);
  tables.put(DeadLetter{
      .offset = 5, .reason = "does not decode", .text = std::string("\0\xfe\x1b", 3), .seen_ms = 9});
  EXPECT_EQ(get("/api/v1/sites")["sites"].size(), 1U);
  EXPECT_EQ(get("/api/v1/sources")["sources"].size(), 1U);
  EXPECT_EQ(get("/api/v1/dead-letters")["total"], 1);
  EXPECT_THAT(api.get("/api/v1/dead-letters", {}).body, Not(HasSubstr("\x1b")));
}

// A store filled by an older weir has such names.
TEST_F(ApiTest, DeceivingCharactersAreShownNotObeyed) {
  constexpr const char* kOverride = "\xE2\x80\xAE";
  SourceState source;
  source.path = std::string("/var/log/") + kOverride + "gol.x";
  source.host = std::string("web") + kOverride;
  tables.put(source);
  DeadLetter letter;
  letter.reason = kOverride;
  letter.text = kOverride;
  tables.put(letter);
  for (const char* route : {"/api/v1/sources", "/api/v1/dead-letters"}) {
    const auto body = api.get(route, {}).body;
    EXPECT_THAT(body, Not(HasSubstr(kOverride))) << route;
    EXPECT_THAT(body, Not(HasSubstr("\"\\u202e"))) << route << ": JSON's own escape would still be obeyed";
    EXPECT_THAT(body, HasSubstr("\\\\u202e")) << route;
  }
}

TEST_F(ApiTest, GapsAreListedAndSummed) {
  SourceState source;
  source.id = {1, 2};
  source.coverage = Coverage(0, 1000, {{100, 150, LossCause::kDeletedUnread, 5000}, {400, 410}});
  tables.put(source);
  const json out = get("/api/v1/sources");
  EXPECT_EQ(out["gap_bytes"], 60);
  EXPECT_EQ(out["sources"][0]["gaps"],
            json::parse(R"([{"begin":100,"end":150,"cause":"deleted unread","since_ms":5000},
                           {"begin":400,"end":410,"cause":"not received","since_ms":null}])"));
  EXPECT_EQ(out["sources"][0]["id"].get<std::string>().size(), 32U);
  api.refresh_store_watch();
  const auto metrics = api.get("/metrics", {}).body;
  EXPECT_THAT(metrics, HasSubstr("\nweir_aggregator_gap_bytes{cause=\"not received\"} 10\n"));
  EXPECT_THAT(metrics, HasSubstr("\nweir_aggregator_gap_bytes{cause=\"deleted unread\"} 50\n"));
  EXPECT_THAT(metrics, HasSubstr("\nweir_aggregator_gap_bytes{cause=\"retention of the topic\"} 0\n"));
}

TEST_F(ApiTest, AgentsArePastOrNot) {
  AgentState good;
  good.agent_id = "good";
  good.last_heartbeat_ms = now_ms - 1000;
  good.watermark_ms = now_ms - 1000;
  AgentState late = good;
  late.agent_id = "late";
  late.watermark_ms = now_ms - 600'000;
  AgentState retired = late;
  retired.agent_id = "retired";
  retired.last_heartbeat_ms = now_ms - 2 * 86'400'000LL;
  for (const auto& agent : {good, late, retired}) tables.put(agent);
  const json out = get("/api/v1/agents");
  EXPECT_EQ(out["known"], 2);
  EXPECT_EQ(out["past"], 1);
  EXPECT_EQ(out["until_s"], kMinute - 60);
  EXPECT_EQ(out["agents"][2]["silent"], true);
}

TEST_F(ApiTest, TheWarnersLeaseIsNoAlert) {
  ASSERT_TRUE(tables.store().lease("warn", "one", kNow * 1000, 20'000).value());
  ASSERT_TRUE(tables.store().save_alerts({.states = {{"flood", "a", AlertPhase::kFiring, kNow, 12}}}));
  const json out = get("/api/v1/alerts");
  EXPECT_EQ(out["firing"], 1);
  ASSERT_EQ(out["alerts"].size(), 1U);
  EXPECT_EQ(out["alerts"][0]["rule"], "flood");
}

TEST_F(ApiTest, AlertHistoryIsOfTheRangeAndBounded) {
  const auto event = [](std::int64_t at_s, AlertPhase phase) {
    return AlertEvent{0, at_s, "flood", "a", phase, 12.5, "critical", "a: 12.5 requests per second"};
  };
  AlertChanges changes{
      .events = {event(kNow - 7200, AlertPhase::kFiring), event(kNow - 60, AlertPhase::kOk)}};
  auto store = tables.opener()();
  ASSERT_TRUE((*store)->save_alerts(changes).has_value());
  const json all = get("/api/v1/alerts/history");
  ASSERT_EQ(all["events"].size(), 2U);
  EXPECT_EQ(all["more"], false);
  EXPECT_EQ(all["events"][0], json({{"at_s", kNow - 60},
                                    {"rule", "flood"},
                                    {"subject", "a"},
                                    {"state", "ok"},
                                    {"value", 12.5},
                                    {"severity", "critical"},
                                    {"text", "a: 12.5 requests per second"}}));
  EXPECT_EQ(get("/api/v1/alerts/history", {{"from", "-1h"}})["events"].size(), 1U);
  EXPECT_EQ(get("/api/v1/alerts/history", {{"to", "-1h"}})["events"][0]["state"], "firing");
  get("/api/v1/alerts/history", {{"site", "a"}}, 400);
  changes.events.assign(1000, event(kNow - 30, AlertPhase::kFiring));
  ASSERT_TRUE((*store)->save_alerts(changes).has_value());
  const json bounded = get("/api/v1/alerts/history");
  EXPECT_EQ(bounded["events"].size(), 1000U);
  EXPECT_EQ(bounded["more"], true);
}

TEST_F(ApiTest, UnknownPathsAndParametersAreRefused) {
  EXPECT_THAT(get("/api/v1/nothing", {}, 404)["error"]["what"].get<std::string>(), HasSubstr("no such page"));
  get("/../../etc/passwd", {}, 404);
  get("/api/v1/sites", {{"x", "y"}}, 400);
  get("/api/v1/summary", {{"step", "1m"}}, 400);
}

TEST_F(ApiTest, AStoreThatIsAwayIs503AndHealthSaysSo) {
  EXPECT_THAT(get("/health", {}, 503)["problems"][0].get<std::string>(), HasSubstr("not answered"));
  api.refresh_store_watch();
  EXPECT_EQ(get("/health")["status"], "ok");
  tables.down = true;
  api.refresh_store_watch();
  EXPECT_THAT(get("/api/v1/summary", {}, 503)["error"]["what"].get<std::string>(), HasSubstr("away"));
  engine.problem = "store: refused; start it";
  const json out = get("/health", {}, 503);
  EXPECT_EQ(out["status"], "degraded");
  EXPECT_EQ(out["problems"].size(), 2U);
  EXPECT_THAT(api.get("/metrics", {}).body, HasSubstr("weir_aggregator_store_up 0\n"));
  tables.down = false;
  EXPECT_EQ(get("/api/v1/summary")["total"]["requests"], 0) << "a fresh connection is made";
}

TEST_F(ApiTest, AStoreThatHangsIsSaidAndNotWaitedFor) {
  api.refresh_store_watch();
  now_ms += StoreWatch::kStaleAfterMs + 1000;
  EXPECT_THAT(get("/health", {}, 503)["problems"][0].get<std::string>(), HasSubstr("not answered for 16 s"));
  EXPECT_THAT(api.get("/metrics", {}).body, HasSubstr("weir_aggregator_store_up 0\n"));
  api.refresh_store_watch();
  EXPECT_EQ(get("/health")["status"], "ok");
}

TEST(Metrics, HaveHelpTypeAndValue) {
  EngineStatus engine;
  engine.records = 12;
  engine.last_commit_ms = 1000;
  WarnerStatus warner;
  warner.firing = 2;
  const std::string text = render_metrics(
      {.engine = engine, .warner = warner, .gap_bytes = GapBytes{{LossCause::kReleased, 5}}, .now_ms = 3500});
  EXPECT_THAT(text,
              HasSubstr("# HELP weir_aggregator_records_total Requests settled.\n"
                        "# TYPE weir_aggregator_records_total counter\nweir_aggregator_records_total 12\n"));
  EXPECT_THAT(text, HasSubstr("\nweir_aggregator_last_commit_age_seconds 2.5\n"));
  EXPECT_THAT(text, HasSubstr("\nweir_aggregator_alerts_firing 2\n"));
}

}  // namespace
}  // namespace weir
