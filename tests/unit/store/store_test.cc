// The store on a real SQLite, and on a real MariaDB when tests/parts/with-mariadb runs us.
#include "aggregator/store/store.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "aggregator/store/sql_connection.h"
#include "tests/unit/store/backend.h"
#include "tests/unit/store/version_2.h"
#include "tests/unit/temp_folder.h"

namespace weir {
namespace {

using testing::Backend;
using ::testing::HasSubstr;
using testing::mysql_config;
using testing::TempFolder;

const PartitionKey kPartition{"access", 0};

class StoreTest : public ::testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    if (GetParam() == Backend::kMysql) {
      for (const char* table : testing::kAllTables) sql(std::string("DROP TABLE IF EXISTS ") + table);
    }
    store_ = open();
    ASSERT_TRUE(store_->migrate().has_value());
  }
  [[nodiscard]] Result<std::unique_ptr<SqlConnection>> connect() const {
    return GetParam() == Backend::kSqlite ? connect_sqlite(folder_ / "weir.db", false)
                                          : connect_mysql(mysql_config());
  }
  [[nodiscard]] std::unique_ptr<Store> open() const {
    auto store =
        GetParam() == Backend::kSqlite ? open_sqlite(folder_ / "weir.db") : open_mysql(mysql_config());
    if (!store) throw std::runtime_error(store.error().what);
    return std::move(*store);
  }
  std::vector<SqlRow> sql(const std::string& text) const {
    auto connection = connect();
    if (!connection) throw std::runtime_error(connection.error().what);
    if (!(*connection)->connected() && !(*connection)->connect()) throw std::runtime_error("not connected");
    auto rows = (*connection)->query(text);
    if (!rows) throw std::runtime_error(rows.error().what);
    return std::move(*rows);
  }
  Store& store() { return *store_; }

  TempFolder folder_;
  std::unique_ptr<Store> store_;
};

WindowSum sum_of(std::uint64_t requests, std::uint64_t bytes, std::uint64_t latency_ms = 5) {
  WindowSum sum;
  sum.requests = requests;
  sum.bytes_sent = sum.flow_bytes = bytes;
  sum.request_bytes = requests * 3;
  sum.request_time_ms = requests * latency_ms;
  sum.upstream_time_ms = requests * 2;
  for (std::uint64_t i = 0; i < requests; ++i) sum.latency.add(latency_ms);
  return sum;
}

Commit commit_of(const PartitionState& owned, std::int64_t next_offset, WindowDelta windows,
                 PartitionKey partition = kPartition) {
  Commit commit;
  commit.partition = std::move(partition);
  commit.epoch = owned.epoch;
  commit.expected_next_offset = owned.next_offset;
  commit.next_offset = next_offset;
  commit.windows = std::move(windows);
  return commit;
}

std::uint64_t total_requests(Store& store) {
  const auto rows = store.traffic({}, 100);
  if (!rows) throw std::runtime_error(rows.error().what);
  std::uint64_t total = 0;
  for (const auto& row : *rows) total += row.sum.requests;
  return total;
}

TEST_P(StoreTest, ACommitAddsToWhatIsThere) {
  auto owned = store().acquire(kPartition, "one").value();
  EXPECT_EQ(owned.epoch, 1U);
  EXPECT_EQ(owned.next_offset, -1);
  const WindowKey ok{600, "shop.example", "web1", 200};
  const WindowKey missing{660, "shop.example", "web1", 404};
  ASSERT_TRUE(
      store().commit(commit_of(owned, 10, {{ok, sum_of(3, 300, 5)}, {missing, sum_of(1, 7)}})).has_value());
  owned.next_offset = 10;
  auto second = commit_of(owned, 11, {{ok, sum_of(2, 50, 500)}});
  second.cluster_id = "cluster";
  second.leader_epoch = 4;
  ASSERT_TRUE(store().commit(second).has_value());

  const auto rows = store().traffic({.by_site = true, .by_host = true, .by_status = true}, 100);
  ASSERT_TRUE(rows.has_value());
  ASSERT_EQ(rows->size(), 2U);
  auto expected = sum_of(3, 300, 5);
  expected.merge(sum_of(2, 50, 500));
  EXPECT_EQ((*rows)[0].status, 200);
  EXPECT_EQ((*rows)[0].sum, expected);
  EXPECT_EQ((*rows)[1].sum, sum_of(1, 7));

  const auto again = store().acquire(kPartition, "two").value();
  EXPECT_EQ(again.epoch, 2U);
  EXPECT_EQ(again.next_offset, 11);
  EXPECT_EQ(again.cluster_id, "cluster");
  EXPECT_EQ(again.leader_epoch, 4);
}

TEST_P(StoreTest, ACommitAddsToWhatAnotherOwnerWroteInBetween) {
  const auto window = [](std::int64_t start_s) { return WindowKey{start_s, "shop.example", "web1", 200}; };
  auto first = store().acquire(kPartition, "one").value();
  ASSERT_TRUE(store().commit(commit_of(first, 10, {{window(600), sum_of(1, 1)}})).has_value());
  const auto other = open();
  auto second = other->acquire(kPartition, "two").value();
  ASSERT_TRUE(other->commit(commit_of(second, 20, {{window(660), sum_of(2, 2)}})).has_value());
  // To this connection the newest window of the partition was 600.
  first = store().acquire(kPartition, "one").value();
  ASSERT_TRUE(
      store().commit(commit_of(first, 30, {{window(660), sum_of(4, 4)}, {window(720), sum_of(8, 8)}})));
  first.next_offset = 30;
  ASSERT_TRUE(
      store().commit(commit_of(first, 40, {{window(720), sum_of(16, 16)}, {window(780), sum_of(32, 32)}})));
  const auto rows = store().traffic({.step_s = 60}, 100).value();
  ASSERT_EQ(rows.size(), 4U);
  EXPECT_EQ(rows[0].sum.requests, 1U);
  EXPECT_EQ(rows[1].sum.requests, 6U);
  EXPECT_EQ(rows[2].sum.requests, 24U);
  EXPECT_EQ(rows[3].sum.requests, 32U);
}

TEST_P(StoreTest, ManyRowsAreAddedToOneByOne) {
  auto owned = store().acquire(kPartition, "one").value();
  WindowDelta windows;
  for (std::uint64_t i = 0; i < 333; ++i)
    windows[{600 + static_cast<std::int64_t>(i % 3) * 60, fmt::format("s{}", i / 3), "web1", 200}] =
        sum_of(i, 1);
  ASSERT_TRUE(store().commit(commit_of(owned, 10, windows)).has_value());
  owned.next_offset = 10;
  windows[{780, "late", "web1", 200}] = sum_of(5, 5);
  auto again = commit_of(owned, 20, windows);
  for (const auto& [key, sum] : windows) again.new_sites.push_back(key.site);
  ASSERT_TRUE(store().commit(again).has_value());
  const auto rows = store().traffic({.step_s = 60, .by_site = true}, 1000).value();
  ASSERT_EQ(rows.size(), windows.size());
  for (const auto& row : rows) {
    auto want = windows.at({row.start_s, row.site, "web1", 200});
    if (row.site != "late") want.merge(want);
    EXPECT_EQ(row.sum, want) << row.start_s << " " << row.site;
  }
  EXPECT_EQ(store().sites()->size(), 112U);
}

TEST_P(StoreTest, TheSameCommitAgainIsFencedAndChangesNothing) {
  const auto owned = store().acquire(kPartition, "one").value();
  const auto commit = commit_of(owned, 10, {{{600, "a", "web1", 200}, sum_of(3, 300)}});
  ASSERT_TRUE(store().commit(commit).has_value());
  const auto again = store().commit(commit);
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, Code::kFenced);
  EXPECT_EQ(total_requests(store()), 3U);
}

TEST_P(StoreTest, ANewOwnerFencesTheOldOne) {
  const auto old = store().acquire(kPartition, "one").value();
  const auto other = open();
  const auto owned = other->acquire(kPartition, "two").value();
  const auto late = store().commit(commit_of(old, 10, {{{600, "a", "web1", 200}, sum_of(3, 300)}}));
  ASSERT_FALSE(late.has_value());
  EXPECT_EQ(late.error().code, Code::kFenced);
  EXPECT_THAT(late.error().what, HasSubstr("access 0"));
  ASSERT_TRUE(other->commit(commit_of(owned, 5, {{{600, "a", "web1", 200}, sum_of(1, 1)}})).has_value());
  EXPECT_EQ(total_requests(store()), 1U);
}

TEST_P(StoreTest, ACommitThatFailsHalfwayLeavesNoTrace) {
  const auto owned = store().acquire(kPartition, "one").value();
  auto commit =
      commit_of(owned, 10,
                {{{600, "a", "web1", 200}, sum_of(3, 300)}, {{600, std::string(256, 'x'), "web1", 200}, {}}});
  commit.new_sites = {"a"};
  const auto refused = store().commit(commit);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_EQ(total_requests(store()), 0U);
  EXPECT_TRUE(store().sites()->empty());
  EXPECT_EQ(store().acquire(kPartition, "two")->next_offset, -1);
}

TEST_P(StoreTest, SourcesKeepTheirCoverage) {
  const auto owned = store().acquire(kPartition, "one").value();
  SourceState source;
  source.id = make_source_id("web1", "/var/log/nginx/access.log", "first");
  source.coverage.add({100, 200}, 50);
  source.coverage.add({300, 400}, 50);
  source.agent_id = "web1";
  source.host = "web1.example";
  source.input = "nginx";
  source.path = "/var/log/nginx/access.log";
  source.instance = 0xffff'ffff'ffff'fff0U;
  source.lines = 4;
  source.unparsed = 1;
  source.too_long = 1;
  source.filtered = 2;
  source.first_seen_ms = 1;
  source.last_seen_ms = 2;
  auto commit = commit_of(owned, 10, {});
  commit.sources = {source};
  ASSERT_TRUE(store().commit(commit).has_value());
  const auto unknown = make_source_id("web1", "/var/log/nginx/access.log", "second");
  auto found = store().load_sources({unknown, source.id});
  ASSERT_TRUE(found.has_value());
  ASSERT_EQ(found->size(), 1U);
  EXPECT_EQ(found->front().coverage.gaps(), source.coverage.gaps());
  EXPECT_EQ(found->front().coverage.high_water(), 400U);
  EXPECT_EQ(found->front().coverage.origin(), 50U);
  EXPECT_EQ(found->front().instance, source.instance);
  EXPECT_EQ(found->front().unparsed, 1U);
  EXPECT_EQ(found->front().too_long, 1U);
  EXPECT_EQ(found->front().filtered, 2U);

  EXPECT_EQ(found->front().version, 1U);

  source.version = 1;
  source.coverage.add({50, 300}, 50);
  commit.expected_next_offset = 10;
  commit.next_offset = 11;
  commit.sources = {source};
  ASSERT_TRUE(store().commit(commit).has_value());
  found = store().all_sources(10);
  ASSERT_EQ(found->size(), 1U);
  EXPECT_TRUE(found->front().coverage.gaps().empty());
  EXPECT_TRUE(sql("SELECT * FROM source_gap").empty());
}

TEST_P(StoreTest, AGapKeepsItsCauseAndItsTime) {
  const auto owned = store().acquire(kPartition, "one").value();
  SourceState source;
  source.id = make_source_id("web1", "a.log", "first");
  source.coverage.add({0, 100}, 0);
  source.coverage.lose({100, 150}, 0, LossCause::kTruncatedUnread, 7000);
  source.coverage.add({200, 300}, 0, LossCause::kRetention, 8000);
  auto commit = commit_of(owned, 10, {});
  commit.sources = {source};
  ASSERT_TRUE(store().commit(commit).has_value());
  EXPECT_EQ(store().load_sources({source.id})->front().coverage, source.coverage);
  EXPECT_EQ(store().gap_bytes().value(),
            (GapBytes{{LossCause::kTruncatedUnread, 50}, {LossCause::kRetention, 50}}));
}

// Its agent lost its registry and the topic grew: two partitions, two aggregators, one source.
TEST_P(StoreTest, ASourceThatAnotherHasCountedSinceIsFenced) {
  const PartitionKey other{kPartition.topic, kPartition.partition + 1};
  const auto owned = store().acquire(kPartition, "one").value();
  const auto owned_by_other = store().acquire(other, "two").value();
  SourceState source;
  source.id = make_source_id("web1", "a.log", "first");
  source.coverage.add({0, 100}, 0);
  auto commit = commit_of(owned, 10, {});
  commit.sources = {source};
  ASSERT_TRUE(store().commit(commit).has_value());

  auto late = commit_of(owned_by_other, 20, {});
  late.partition = other;
  late.sources = {source};  // as if there were no row yet
  auto refused = store().commit(late);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kFenced) << refused.error().what;
  EXPECT_EQ(store().acquire(other, "two")->next_offset, -1);

  auto again = commit_of(store().acquire(other, "two").value(), 20, {});
  again.partition = other;
  again.sources = store().load_sources({source.id}).value();
  again.sources.front().coverage.add({100, 200}, 0);
  ASSERT_TRUE(store().commit(again).has_value());
  commit.expected_next_offset = 10;
  commit.next_offset = 11;
  commit.sources.front().version = 1;
  refused = store().commit(commit);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kFenced) << refused.error().what;
  EXPECT_EQ(store().load_sources({source.id})->front().coverage.high_water(), 200U);
}

TEST_P(StoreTest, ASchemaOfVersion1IsMigrated) {
  const auto owned = store().acquire(kPartition, "one").value();
  SourceState source;
  source.id = make_source_id("web1", "a.log", "first");
  source.coverage.add({0, 100}, 0);
  source.coverage.add({200, 300}, 0);
  source.last_seen_ms = 4711;
  auto commit = commit_of(owned, 10, {});
  commit.sources = {source};
  ASSERT_TRUE(store().commit(commit).has_value());
  for (const char* statement :
       {"ALTER TABLE source DROP COLUMN version", "ALTER TABLE source DROP COLUMN too_long",
        "ALTER TABLE source_gap DROP COLUMN cause", "ALTER TABLE source_gap DROP COLUMN since_ms",
        "UPDATE meta SET value = 1 WHERE value = 3"})
    sql(statement);
  store_ = open();
  ASSERT_TRUE(store().migrate().has_value());
  auto found = store().load_sources({source.id});
  ASSERT_TRUE(found.has_value()) << found.error().what;
  EXPECT_EQ(found->front().version, 1U);
  EXPECT_EQ(found->front().coverage.gaps(), (std::vector<Gap>{{100, 200, LossCause::kNotReceived, 4711}}));
  ASSERT_TRUE(store().migrate().has_value()) << "a second time changes nothing";
  found->front().coverage.add({100, 200}, 0);
  commit.epoch = store().acquire(kPartition, "one")->epoch;
  commit.expected_next_offset = 10;
  commit.next_offset = 11;
  commit.sources = *found;
  EXPECT_TRUE(store().commit(commit).has_value());
}

TEST_P(StoreTest, AStoreOfVersion2IsMigratedWithAllItHas) {
  for (const char* table : testing::kAllTables) sql(std::string("DROP TABLE IF EXISTS ") + table);
  for (const auto& statement : testing::version_2_statements(GetParam(), WEIR_TEST_DATA)) sql(statement);
  store_ = open();
  ASSERT_TRUE(store().migrate().has_value());
  EXPECT_EQ(store().schema_version().value(), kSchemaVersion);

  // Ledger and traffic: unchanged.
  const auto owned = store().acquire(kPartition, "two").value();
  EXPECT_EQ(owned.epoch, 2U);
  EXPECT_EQ(owned.next_offset, 1);
  EXPECT_EQ(owned.cluster_id, "cluster");
  EXPECT_EQ(owned.leader_epoch, 4);
  const auto sources = store().all_sources(10).value();
  ASSERT_EQ(sources.size(), 1U);
  EXPECT_EQ(sources.front().path, "/var/log/nginx/access.log");
  EXPECT_EQ(sources.front().coverage.gaps(),
            (std::vector<Gap>{{100, 160, LossCause::kTruncatedUnread, 1'764'000'000'000}}));
  EXPECT_EQ(sources.front().lines, 6U);
  EXPECT_EQ(total_requests(store()), 6U);
  EXPECT_EQ(store().sites().value(), (std::vector<std::string>{"shop.example"}));
  EXPECT_EQ(store().agents().value().front().lag_bytes, 55U);

  // Dead letters have a kind, found from the reason.
  std::map<std::int64_t, DeadLetterKind> kinds;
  const auto letters = store().dead_letters(10).value();
  EXPECT_EQ(letters.total, 6U);
  for (const auto& letter : letters.newest) {
    kinds[letter.offset] = letter.kind;
    EXPECT_EQ(letter.text, std::string("\0\xffsample", 8));
  }
  EXPECT_EQ(kinds, (std::map<std::int64_t, DeadLetterKind>{{5, DeadLetterKind::kMessagesGone},
                                                           {20, DeadLetterKind::kOffsetGone},
                                                           {21, DeadLetterKind::kRefused},
                                                           {22, DeadLetterKind::kRefused},
                                                           {23, DeadLetterKind::kRefused},
                                                           {24, DeadLetterKind::kUnreadable}}));
  EXPECT_EQ(store().lost_offsets(10)->size(), 2U);

  // Alerts keep their state; the lease among them is gone, and the old mails wait to be sent.
  EXPECT_EQ(store().alerts().value(),
            (std::vector<AlertState>{{"flood", "shop.example", AlertPhase::kFiring, 1'764'000'000, 12.5},
                                     {"flood", "www.example", AlertPhase::kOk, 1'764'000'000, 0.25}}));
  EXPECT_TRUE(sql("SELECT subject FROM alert WHERE state = 'lease'").empty());
  const auto mails = store().claim_letters("mail", 1'764'000'005'000, 1000, 10).value();
  ASSERT_EQ(mails.size(), 2U);
  EXPECT_EQ(mails[0].id, 3);
  EXPECT_EQ(mails[0].address, "Ops <ops@example.org>");
  EXPECT_EQ(mails[0].payload, "[weir] critical flood: site shop.example\nGröße\n.dot\n");
  EXPECT_EQ(mails[0].created_ms, 1'764'000'000'000);
  EXPECT_EQ(mails[0].attempts, 2U);
  EXPECT_EQ(mails[0].last_error, "refused");
  EXPECT_EQ(mails[1].payload, "two\n");
  ASSERT_TRUE(store().save_alerts({.letters = {mails[0]}}));
  EXPECT_EQ(sql("SELECT MAX(id) FROM outbox"), (std::vector<SqlRow>{{std::int64_t{5}}}))
      << "ids go on where version 2 left them";

  ASSERT_TRUE(store().migrate().has_value()) << "a second time changes nothing";
  EXPECT_EQ(store().letters_waiting().value().at("mail"), 3U);
  EXPECT_TRUE(store().commit(commit_of(owned, 2, {{{600, "a", "web1", 200}, sum_of(1, 1)}})).has_value());
}

TEST_P(StoreTest, OfTwoThatAskForALeaseOneHasIt) {
  const auto other = open();
  EXPECT_TRUE(store().lease("warn", "one", 1000, 500).value());
  EXPECT_FALSE(other->lease("warn", "two", 1499, 500).value());
  EXPECT_TRUE(other->lease("expire", "two", 1499, 500).value()) << "another lease";
  EXPECT_TRUE(store().lease("warn", "one", 1499, 500).value()) << "renewed until 1999";
  EXPECT_FALSE(other->lease("warn", "two", 1998, 500).value());
  EXPECT_TRUE(other->lease("warn", "two", 1999, 500).value()) << "it ran out";
  EXPECT_FALSE(store().lease("warn", "one", 2000, 500).value()) << "who slept past the end asks again";
  EXPECT_FALSE(store().lease("warn", "one", 2000, 0).value()) << "only the owner gives it up";
  EXPECT_TRUE(other->lease("warn", "two", 2000, 0).value());
  EXPECT_TRUE(store().lease("warn", "one", 2000, 500).value()) << "given up";
}

TEST_P(StoreTest, ALeaseThatManyAskForAtOnceHasOneOwner) {
  std::vector<std::thread> threads;
  std::atomic<int> owners = 0;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      const auto own = open();
      const auto taken = own->lease("warn", "owner" + std::to_string(i), 1000, 500);
      EXPECT_TRUE(taken.has_value()) << taken.error().what;
      if (taken && *taken) ++owners;
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(owners, 1);
}

TEST_P(StoreTest, TheHistoryOfAlertsIsReadNewestFirst) {
  const AlertEvent fired{0, 100, "flood", "shop.example", AlertPhase::kFiring, 12.5, "critical", "too much"};
  auto cleared = fired;
  cleared.at_s = 160;
  cleared.phase = AlertPhase::kOk;
  ASSERT_TRUE(store().save_alerts({.events = {fired, fired}}));
  ASSERT_TRUE(store().save_alerts({.events = {cleared}}));
  const auto all = store().history(0, 1000, 10).value();
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].phase, AlertPhase::kOk);
  EXPECT_EQ(all[0].at_s, 160);
  EXPECT_EQ(all[1].text, "too much");
  EXPECT_EQ(all[1].severity, "critical");
  EXPECT_EQ(all[1].value, 12.5);
  EXPECT_GT(all[1].id, all[2].id);
  EXPECT_EQ(store().history(0, 160, 10)->size(), 2U);
  EXPECT_EQ(store().history(101, 161, 10)->size(), 1U);
  EXPECT_EQ(store().history(0, 1000, 2)->size(), 2U);
}

TEST_P(StoreTest, TheHistoryOfAlertsForgetsWhatIsOldAndWhatIsTooMuch) {
  const auto event = [](std::int64_t at_s) {
    return AlertEvent{0, at_s, "flood", "", AlertPhase::kFiring, 1, "critical", "too much"};
  };
  ASSERT_TRUE(store().save_alerts({.events = {event(0), event(1)}}));
  ASSERT_TRUE(store().save_alerts({.events = {event(kKeepAlertEventsSeconds + 1)}}));
  EXPECT_EQ(store().history(0, 10, 10)->size(), 1U) << "400 days before the newest are kept";
  // As many more as are kept, by SQL for speed.
  sql(
      fmt::format("INSERT INTO alert_history(at_s, id, rule_name, subject, state, value_text, severity, "
                  "description) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {}) "
                  "SELECT 100 + i, 1000 + i, 'flood', '', 'ok', '1', 'critical', '' FROM n",
                  GetParam() == Backend::kSqlite ? kMaxAlertEvents : 1000));
  if (GetParam() == Backend::kMysql) return;  // its recursion is bounded to 1000 rows
  ASSERT_TRUE(store().save_alerts({.events = {event(kKeepAlertEventsSeconds + 2)}}));
  EXPECT_EQ(number(sql("SELECT COUNT(*) FROM alert_history")[0][0]), std::int64_t{kMaxAlertEvents});
  EXPECT_EQ(store().history(0, 103, 10)->size(), 0U) << "the oldest went";
}

TEST_P(StoreTest, KeysAreBytesNotWords) {
  const auto owned = store().acquire(kPartition, "one").value();
  // What a collation would take for the same, what SQL would take for its own, what is no UTF-8.
  const std::vector<std::string> sites = {"a",        "A",  "a ",
                                          "\xC3\xA4", "ae", "'; DROP TABLE source; --",
                                          "\xff\xfe", "%",  "\xF0\x9F\x92\xA9",
                                          "\\",       "\"", std::string("n\0l", 3)};
  WindowDelta windows;
  for (const auto& site : sites) windows[{600, site, "web1", 200}] = sum_of(1, 10);
  auto commit = commit_of(owned, 10, windows);
  commit.new_sites = sites;
  ASSERT_TRUE(store().commit(commit).has_value());
  commit.expected_next_offset = 10;
  commit.next_offset = 20;
  ASSERT_TRUE(store().commit(commit).has_value());
  const auto rows = store().traffic({.by_site = true}, 100);
  ASSERT_TRUE(rows.has_value());
  EXPECT_EQ(rows->size(), sites.size());
  for (const auto& row : *rows) EXPECT_EQ(row.sum.requests, 2U) << row.site;
  for (const auto& site : sites) {
    const auto one = store().traffic({.by_site = true, .site = site}, 100);
    ASSERT_TRUE(one.has_value());
    ASSERT_EQ(one->size(), 1U) << site;
    EXPECT_EQ(one->front().site, site);
  }
  EXPECT_EQ(store().sites()->size(), sites.size());
}

TEST_P(StoreTest, TrafficIsAskedByTimeStepAndColumn) {
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
  // What was left unread of that answer is in nobody's way.
  const auto span = store().traffic_span().value();
  ASSERT_TRUE(span.has_value());
  EXPECT_EQ(span->first_s, store().traffic({}, 10)->front().start_s);
  EXPECT_EQ(span->last_s, store().traffic({.step_s = 1}, 1000)->back().start_s);
}

TEST_P(StoreTest, DeadLettersAreCountedAllAndKeptTheNewest) {
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

TEST_P(StoreTest, AnOlderHeartbeatDoesNotReplaceANewerOne) {
  auto owned = store().acquire(kPartition, "one").value();
  auto commit = commit_of(owned, 1, {});
  commit.agents = {{"web1", "web1.example", 7, 2000, 1900, 55}};
  ASSERT_TRUE(store().commit(commit).has_value());
  commit.expected_next_offset = 1;
  commit.next_offset = 2;
  commit.agents = {{"web1", "web1.example", 7, 1000, 900, 99}};
  ASSERT_TRUE(store().commit(commit).has_value());
  const auto agents = store().agents().value();
  ASSERT_EQ(agents.size(), 1U);
  EXPECT_EQ(agents.front().last_heartbeat_ms, 2000);
  EXPECT_EQ(agents.front().lag_bytes, 55U);
}

TEST_P(StoreTest, AMailIsClaimedByOneUntilItsLeaseEnds) {
  Letter mail;
  mail.channel = "mail";
  mail.address = "ops@example.org";
  mail.payload = "line\r\n\xC3\xA4";
  mail.created_ms = mail.next_try_ms = 1000;
  auto later = mail;
  later.next_try_ms = 9'000'000;
  ASSERT_TRUE(store()
                  .save_alerts({.states = {{"busy", "shop.example", AlertPhase::kFiring, 60, 12.5}},
                                .letters = {mail, later}})
                  .has_value());
  const auto alerts = store().alerts().value();
  ASSERT_EQ(alerts.size(), 1U);
  EXPECT_EQ(alerts.front().phase, AlertPhase::kFiring);
  EXPECT_EQ(alerts.front().value, 12.5);
  EXPECT_EQ(store().letters_waiting().value()["mail"], 2U);

  const auto other = open();
  auto mine = store().claim_letters("mail", 1000, 500, 10).value();
  ASSERT_EQ(mine.size(), 1U);
  EXPECT_EQ(mine.front().payload, mail.payload);
  EXPECT_TRUE(other->claim_letters("mail", 1400, 500, 10).value().empty());
  EXPECT_EQ(other->claim_letters("mail", 1501, 500, 10).value().size(), 1U);
  ASSERT_TRUE(other->letter_failed(mine.front().id, 5000, "refused").has_value());
  EXPECT_TRUE(store().claim_letters("mail", 4999, 500, 10).value().empty());
  mine = store().claim_letters("mail", 5000, 500, 10).value();
  ASSERT_EQ(mine.size(), 1U);
  EXPECT_EQ(mine.front().attempts, 1U);
  EXPECT_EQ(mine.front().last_error, "refused");
  ASSERT_TRUE(store().letter_delivered(mine.front().id).has_value());
  EXPECT_EQ(store().letters_waiting().value()["mail"], 1U);

  ASSERT_TRUE(
      store()
          .save_alerts({.states = {{"busy", "shop.example", AlertPhase::kOk, 120, 0.25}}, .letters = {mail}})
          .has_value());
  EXPECT_EQ(store().alerts()->front().phase, AlertPhase::kOk);
  EXPECT_NE(store().claim_letters("mail", 6000, 500, 10)->front().id, mine.front().id)
      << "ids are never used again";
}

TEST_P(StoreTest, SourcesNotHeardOfAreForgottenInStepsThoseWithGapsLater) {
  const auto owned = store().acquire(kPartition, "one").value();
  auto commit = commit_of(owned, 10, {});
  const auto add = [&](const std::string& path, std::int64_t last_seen_ms, std::vector<Gap> gaps) {
    SourceState source;
    source.id = make_source_id("agent", path, path);
    source.path = path;
    source.coverage = Coverage(0, 1000, std::move(gaps));
    source.last_seen_ms = last_seen_ms;
    commit.sources.push_back(std::move(source));
  };
  for (int i = 0; i < 5; ++i) add("old" + std::to_string(i), 100 + i, {});
  add("old with a gap", 1000, {{10, 20}});
  add("older with a gap", 100, {{10, 20}, {30, 40}});
  add("new", 5000, {});
  add("of unknown age", 0, {});
  ASSERT_TRUE(store().commit(commit).has_value());
  EXPECT_EQ(store().forget_sources(2000, 500, 4).value(), 4U);
  EXPECT_EQ(store().forget_sources(2000, 500, 4).value(), 2U);
  EXPECT_EQ(store().forget_sources(2000, 500, 4).value(), 0U);
  std::vector<std::string> left;
  const auto sources = store().all_sources(100).value();
  for (const auto& source : sources) left.push_back(source.path);
  EXPECT_THAT(left, ::testing::ElementsAre("new", "old with a gap", "of unknown age"));
  EXPECT_EQ(sql("SELECT source_id FROM source_gap").size(), 1U);
}

TEST_P(StoreTest, ANewerSchemaIsRefusedAndLeftAlone) {
  sql("UPDATE meta SET value = 999");
  const auto refused = open()->migrate();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_THAT(refused.error().what, HasSubstr("999"));
  EXPECT_THAT(refused.error().hint, HasSubstr("newer"));
}

TEST_P(StoreTest, EveryoneMayMigrateAtOnce) {
  for (const char* table : {"meta", "window_traffic", "outbox"}) sql(std::string("DROP TABLE ") + table);
  std::vector<std::thread> threads;
  std::atomic<int> failed = 0;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      const auto own = open();
      for (int n = 0; n < 2; ++n) {
        const auto done = own->migrate();
        if (!done) ++failed;
        EXPECT_TRUE(done.has_value()) << done.error().what;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(sql("SELECT * FROM meta").size(), 3U);
}

TEST_P(StoreTest, PartitionsOfTheSameWindowsCommitAtOnce) {
  constexpr int kThreads = 4;
  constexpr int kCommits = 25;
  std::vector<std::thread> threads;
  std::atomic<int> failed = 0;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      const auto own = open();
      const PartitionKey partition{"access", i};
      auto owned = own->acquire(partition, "owner").value();
      for (int n = 0; n < kCommits; ++n) {
        auto commit = commit_of(owned, n, {{{600, "a", "web1", 200}, sum_of(1, 10)}}, partition);
        commit.new_sites = {"a", "b"};
        commit.agents = {{"web" + std::to_string(n % 2), "h", 1, n, n, 0}};
        if (!own->commit(commit)) ++failed;
        owned.next_offset = n;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(total_requests(store()), static_cast<std::uint64_t>(kThreads * kCommits));
}

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreTest, ::testing::Values(Backend::kSqlite));
INSTANTIATE_TEST_SUITE_P(Mysql, StoreTest, ::testing::Values(Backend::kMysql));

TEST(MysqlStore, AWrongPasswordIsSaidWithUserAndHost) {
  auto config = mysql_config();
  config.password = "wrong";
  const auto refused = open_mysql(config);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_THAT(refused.error().what, HasSubstr("weir"));
  EXPECT_FALSE(refused.error().hint.empty());
  EXPECT_EQ(refused.error().what.find("wrong"), std::string::npos) << "no password in a message";
}

TEST(MysqlStore, ASocketGoesBeforeTheAddress) {
  auto config = mysql_config();
  config.socket = text(connect_mysql(config).value()->query("SELECT @@socket", {}).value()[0][0]);
  config.port = 1;
  const auto store = open_mysql(config);
  ASSERT_TRUE(store.has_value()) << store.error().what;
  EXPECT_TRUE((*store)->migrate().has_value());
  config.socket += ".not";
  const auto refused = open_mysql(config);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().what, HasSubstr(config.socket));
}

TEST(MysqlStore, AServerThatIsAwayIsUnavailable) {
  auto config = mysql_config();
  config.port = 1;
  const auto refused = open_mysql(config);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_THAT(refused.error().what, HasSubstr("127.0.0.1"));
}

TEST(SqliteStore, ForReadingItIsNeverMade) {
  const TempFolder folder;
  const auto missing = open_sqlite_readonly(folder / "weir.db");
  ASSERT_FALSE(missing.has_value());
  EXPECT_THAT(missing.error().what, HasSubstr(folder / "weir.db"));
  EXPECT_FALSE(std::filesystem::exists(folder / "weir.db"));
}

TEST(SqliteStore, AFileThatIsNoDatabaseIsRefusedAndLeftAlone) {
  const TempFolder folder;
  const auto path = folder.write("weir.db", std::string(5000, 'x'));
  auto store = open_sqlite(path);
  const auto refused = store ? (*store)->migrate() : std::unexpected(store.error());
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().what, HasSubstr(path));
  EXPECT_EQ(std::filesystem::file_size(path), 5000U);
}

TEST(SqliteStore, AFullDiskStopsACommitWhole) {
  const TempFolder folder;
  auto connection = std::move(*connect_sqlite(folder / "weir.db", false));
  auto* raw = connection.get();
  const auto store = make_sql_store(std::move(connection));
  ASSERT_TRUE(store->migrate().has_value());
  const auto owned = store->acquire(kPartition, "one").value();
  const auto pages = number(raw->query("PRAGMA page_count")->front().front());
  ASSERT_TRUE(raw->query("PRAGMA max_page_count = " + std::to_string(pages)).has_value());
  WindowDelta windows;
  for (int i = 0; i < 2000; ++i) windows[{600, "site" + std::to_string(i), "web1", 200}] = sum_of(1, 10);
  const auto full = store->commit(commit_of(owned, 10, windows));
  ASSERT_FALSE(full.has_value());
  EXPECT_EQ(full.error().code, Code::kIo);
  EXPECT_THAT(full.error().what, HasSubstr("full"));
  ASSERT_TRUE(raw->query("PRAGMA max_page_count = 1000000").has_value());
  ASSERT_TRUE(store->commit(commit_of(owned, 10, windows)).has_value())
      << "room again: the same commit goes on";
  EXPECT_EQ(total_requests(*store), 2000U);
}

}  // namespace
}  // namespace weir
