// The readers' queries.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <thread>

#include "tests/unit/store/fault_connection.h"
#include "tests/unit/store/store_fixture.h"

namespace weir {
namespace {

using testing::Backend;
using testing::commit_of;
using ::testing::HasSubstr;
using testing::kPartition;
using testing::mysql_config;
using testing::sum_of;
using testing::TempFolder;
using testing::total_requests;

class TrafficTest : public testing::StoreTest {};

TEST_P(TrafficTest, TrafficIsAskedByTimeStepAndColumn) {
  const auto owned = store().acquire(kPartition, "one").value();
  WindowDelta windows;
  constexpr std::int64_t kDay = 86400;
  for (std::int64_t minute = 0; minute < 2 * 1440; minute += 60)
    windows[{minute * 60, minute % 120 == 0 ? "a" : "b", "web1", 200}] = sum_of(1, 10);
  ASSERT_TRUE(store().commit(commit_of(owned, 10, windows)).has_value());
  const auto days = store().traffic({.step_s = kDay}, 100).value();
  ASSERT_EQ(days.size(), 2U);
  EXPECT_EQ(days[1].start_s, kDay);
  EXPECT_EQ(days[1].sum.requests, 24U);
  const auto second =
      store().traffic({.from_s = kDay, .to_s = kDay + 7200, .step_s = 3600, .by_site = true}, 100).value();
  ASSERT_EQ(second.size(), 2U);
  EXPECT_EQ(second[0].site, "a");
  EXPECT_EQ(second[1].start_s, kDay + 3600);
  EXPECT_EQ(store().traffic({.site = "a", .host = "web1"}, 100).value().front().sum.requests, 24U);
  EXPECT_TRUE(store().traffic({.host = "web2"}, 100).value().empty());
  const auto bounded = store().traffic({.step_s = 3600}, 10);
  ASSERT_FALSE(bounded.has_value());
  EXPECT_EQ(bounded.error().code, Code::kFull);
  // The unread rest of that answer does no harm.
  const auto span = store().traffic_span().value();
  ASSERT_TRUE(span.has_value());
  EXPECT_EQ(span->first_s, store().traffic({}, 10)->front().start_s);
  EXPECT_EQ(span->last_s, store().traffic({.step_s = 1}, 1000)->back().start_s);
}

TEST_P(TrafficTest, DeadLettersAreCountedAllAndKeptTheNewest) {
  auto owned = store().acquire(kPartition, "one").value();
  constexpr std::int64_t kBatches = 4;
  for (std::int64_t batch = 0; batch < kBatches; ++batch) {
    auto commit = commit_of(owned, (batch + 1) * 400, {});
    for (std::int64_t i = 0; i < 400; ++i)
      commit.dead_letters.push_back({kPartition, batch * 400 + i, 0, DeadLetterKind::kUnreadable, "",
                                     "is no batch", std::string("\0\xff<b>", 5), 7});
    commit.dead_letter_count = 500;  // 100 were not kept
    ASSERT_TRUE(store().commit(commit).has_value());
    owned.next_offset = (batch + 1) * 400;
  }
  const auto letters = store().dead_letters(5000);
  ASSERT_TRUE(letters.has_value());
  EXPECT_EQ(letters->total, 2000U);
  EXPECT_LE(letters->newest.size(), 1001U);
  ASSERT_GE(letters->newest.size(), 1000U);
  EXPECT_EQ(letters->newest.front().offset, 1599);
  EXPECT_EQ(letters->newest.front().text, std::string("\0\xff<b>", 5));
  EXPECT_EQ(store().dead_letters(3)->newest.size(), 3U);
}

// Each refresh of the page asks these. Growing tables must not make them slower.
TEST(SqliteTraffic, TimeIsLookedUpByTheKey) {
  const TempFolder folder;
  auto connection = std::move(*connect_sqlite(folder / "weir.db", false));
  std::vector<std::string> asked;
  const std::shared_ptr<SqlConnection> shared = std::move(connection);
  const auto store =
      make_sql_store(std::make_unique<testing::FaultConnection>(shared, [&asked](std::string_view sql) {
        asked.emplace_back(sql);
        return testing::Fault::kNone;
      }));
  ASSERT_TRUE(store->migrate().has_value());
  const auto owned = store->acquire(kPartition, "one").value();
  ASSERT_TRUE(store->commit(commit_of(owned, 1, {{{600, "a", "web1", 200}, sum_of(1, 1)}})).has_value());
  asked.clear();
  ASSERT_TRUE(store->traffic_span().has_value());
  const TrafficQuery query{.from_s = 0, .to_s = 1200, .by_site = true, .site = "a", .host = "web1"};
  ASSERT_EQ(store->traffic(query, 10)->size(), 1U);
  ASSERT_TRUE(store->history(0, 10, 10).has_value());
  ASSERT_GE(asked.size(), 5U);
  const std::size_t before = asked.size();
  ASSERT_EQ(store->hosts().value(), (std::vector<std::string>{"web1"}));
  for (; asked.size() > before; asked.pop_back())
    EXPECT_EQ(asked.back().find("window_traffic"), std::string::npos) << asked.back();
  for (const auto& sql : asked) {
    std::string bound = sql;
    for (auto at = bound.find('?'); at != std::string::npos; at = bound.find('?')) bound.replace(at, 1, "1");
    const auto plan = shared->query("EXPLAIN QUERY PLAN " + bound).value();
    ASSERT_EQ(plan.size(), 1U) << sql;
    const auto step = text(plan.front().back());
    // A scan in key order that ends after one row is a look-up, too.
    const bool first_row = sql.find("LIMIT 1") != std::string::npos && step.starts_with("SCAN");
    EXPECT_TRUE(first_row || step.find("USING PRIMARY KEY (") != std::string::npos) << sql << ": " << step;
    EXPECT_EQ(step.find("TEMP B-TREE"), std::string::npos) << sql << ": " << step;
  }
}

INSTANTIATE_TEST_SUITE_P(Sqlite, TrafficTest, ::testing::Values(Backend::kSqlite));
INSTANTIATE_TEST_SUITE_P(Mysql, TrafficTest, ::testing::Values(Backend::kMysql));

}  // namespace
}  // namespace weir
