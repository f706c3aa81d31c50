#include "aggregator/pages/knowledge.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

constexpr std::int64_t kNow = 1'800'000'030;
constexpr std::int64_t kMinute = 1'800'000'000;  // start of kNow's window
constexpr DataRange kData{kMinute - 7200, kMinute - 3600};

AgentState agent(std::int64_t heartbeat_s_ago, std::int64_t watermark_s, std::string host = "h") {
  AgentState out;
  out.host = std::move(host);
  out.last_heartbeat_ms = (kNow - heartbeat_s_ago) * 1000;
  out.watermark_ms = watermark_s * 1000;
  return out;
}

Knowledge known(const std::vector<AgentState>& agents) {
  return knowledge_of(kData, agents, kNow * 1000, 60);
}

TEST(Knowledge, OfAgentsThatReport) {
  const struct {
    const char* name;
    std::vector<AgentState> agents;
    Knowledge want;
  } kCases[] = {
      {"all up to date", {agent(5, kNow - 5), agent(9, kNow - 9)}, {kData, kMinute, kMinute, kMinute + 60}},
      {"one is behind",
       {agent(5, kNow - 5), agent(5, kMinute - 1800)},
       {kData, kMinute - 1800, kMinute, kMinute + 60}},
      {"one is silent for an hour, and may still come",
       {agent(5, kNow - 5), agent(3600, kMinute - 3600)},
       {kData, kMinute - 3600, kMinute, kMinute + 60}},
      {"one was taken out of service",
       {agent(5, kNow - 5), agent(90'000, kMinute - 90'000)},
       {kData, kMinute, kMinute, kMinute + 60}},
      {"all are silent: nothing is awaited after the last report",
       {agent(3600, kMinute - 3600), agent(1800, kMinute - 1800)},
       {kData, kMinute - 3600, kMinute - 1800, kMinute - 1800}},
      {"a watermark that is not known", {agent(5, 0)}, {kData, kData.first_s, kData.first_s, kMinute + 60}},
      {"a watermark of the future", {agent(5, kNow + 9999)}, {kData, kMinute, kMinute, kMinute + 60}},
  };
  for (const auto& c : kCases) EXPECT_EQ(known(c.agents), c.want) << c.name;
}

TEST(Knowledge, WithoutAgentsTheWindowsAreWhatIsKnown) {
  EXPECT_EQ(known({}), (Knowledge{kData, kData.end_s, kData.end_s, kData.end_s}));
  EXPECT_EQ(known({agent(90'000, kMinute - 60'000)}),
            (Knowledge{kData, kData.end_s, kData.end_s, kData.end_s}))
      << "the last one was taken out of service before the data ends";
  const DataRange live{kMinute - 600, kMinute + 60};
  EXPECT_EQ(knowledge_of(live, {}, kNow * 1000, 60),
            (Knowledge{live, kMinute - 60, kMinute - 60, kMinute + 60}))
      << "lines of other shippers still come";
}

TEST(Knowledge, OfOneHostIsThatOfItsAgents) {
  const std::vector<AgentState> all = {agent(5, kNow - 5, "a"), agent(5, kMinute - 1800, "b")};
  EXPECT_EQ(agents_of_host(all, "").size(), 2U);
  ASSERT_EQ(agents_of_host(all, "b").size(), 1U);
  EXPECT_EQ(known(agents_of_host(all, "a")).complete_s, kMinute);
  EXPECT_EQ(known(agents_of_host(all, "b")).complete_s, kMinute - 1800);
}

TEST(DrawnSteps, GoOnAsZerosWhereTrafficStopped) {
  const auto all = known({agent(5, kNow - 5)});
  EXPECT_EQ(drawn_steps(all, kMinute - 3600, kNow, 60), (DrawnSteps{kMinute - 3600, kMinute}));
}

TEST(DrawnSteps, EndWithTheLastReport) {
  const auto silent = known({agent(1800, kMinute - 1800)});
  EXPECT_EQ(drawn_steps(silent, kMinute - 3600, kNow, 60), (DrawnSteps{kMinute - 3600, kMinute - 1800}));
}

TEST(DrawnSteps, LeaveOutStepsThatAreCut) {
  const auto all = known({agent(5, kNow - 5)});
  const std::int64_t begin = kMinute - 1800;  // a multiple of 300
  EXPECT_EQ(drawn_steps(all, begin + 10, kNow, 300), (DrawnSteps{begin + 300, kMinute})) << "by the range";
  EXPECT_EQ(drawn_steps(all, begin, kMinute - 90, 300), (DrawnSteps{begin, kMinute - 300}));
  EXPECT_EQ(drawn_steps(all, kData.first_s - 86400, kData.end_s, 300),
            (DrawnSteps{kData.first_s + 300, kData.end_s}))
      << "by the first window, which may have begun with a log";
}

TEST(DrawnSteps, ShowWhatThereIsWhenNoStepIsWhole) {
  const DataRange one{kMinute, kMinute + 60};
  const auto fresh = knowledge_of(one, {agent(5, kNow - 5)}, kNow * 1000, 60);
  EXPECT_EQ(drawn_steps(fresh, kMinute - 3600, kNow, 60), (DrawnSteps{kMinute, kMinute + 60, false}));
  EXPECT_EQ(drawn_steps(fresh, kMinute - 3600, kMinute - 1800, 60), (DrawnSteps{})) << "before all data";
}

}  // namespace
}  // namespace weir
