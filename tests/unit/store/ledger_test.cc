// Partitions, commits, sources.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <thread>

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

class LedgerTest : public testing::StoreTest {};

TEST_P(LedgerTest, ACommitAddsToWhatIsThere) {
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

TEST_P(LedgerTest, ACommitAddsToWhatAnotherOwnerWroteInBetween) {
  const auto window = [](std::int64_t start_s) { return WindowKey{start_s, "shop.example", "web1", 200}; };
  auto first = store().acquire(kPartition, "one").value();
  ASSERT_TRUE(store().commit(commit_of(first, 10, {{window(600), sum_of(1, 1)}})).has_value());
  const auto other = open();
  auto second = other->acquire(kPartition, "two").value();
  ASSERT_TRUE(other->commit(commit_of(second, 20, {{window(660), sum_of(2, 2)}})).has_value());
  // As far as this connection knows, the newest window of the partition was 600.
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

TEST_P(LedgerTest, ManyRowsAreAddedToOneByOne) {
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

TEST_P(LedgerTest, TheSameCommitAgainIsFencedAndChangesNothing) {
  const auto owned = store().acquire(kPartition, "one").value();
  const auto commit = commit_of(owned, 10, {{{600, "a", "web1", 200}, sum_of(3, 300)}});
  ASSERT_TRUE(store().commit(commit).has_value());
  const auto again = store().commit(commit);
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, Code::kFenced);
  EXPECT_EQ(total_requests(store()), 3U);
}

TEST_P(LedgerTest, ANewOwnerFencesTheOldOne) {
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

TEST_P(LedgerTest, ACommitThatFailsHalfwayLeavesNoTrace) {
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

TEST_P(LedgerTest, SourcesKeepTheirCoverage) {
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

TEST_P(LedgerTest, AGapKeepsItsCauseAndItsTime) {
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

// Its agent lost its registry and the topic grew: one source in two partitions, with two aggregators.
TEST_P(LedgerTest, ASourceThatAnotherHasCountedSinceIsFenced) {
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

TEST_P(LedgerTest, KeysAreBytesNotWords) {
  const auto owned = store().acquire(kPartition, "one").value();
  // Names that a collation would consider equal, that SQL would interpret, and that are not UTF-8.
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

TEST_P(LedgerTest, EachHostOfTheWindowsIsListedOnce) {
  auto owned = store().acquire(kPartition, "one").value();
  const std::string long_name(255, 'h');
  WindowDelta windows;
  for (const std::string& host : {std::string("web2"), std::string("web1"), long_name}) {
    windows[{600, "a", host, 200}] = sum_of(1, 10);
    windows[{660, "a", host, 200}] = sum_of(1, 10);
  }
  ASSERT_TRUE(store().commit(commit_of(owned, 10, windows)).has_value());
  const std::vector<std::string> listed = {long_name, "web1", "web2"};
  EXPECT_EQ(store().hosts().value(), listed);
  store_ = open();  // which does not know what the one before wrote
  auto again = commit_of(owned, 20, windows);
  again.expected_next_offset = 10;
  ASSERT_TRUE(store().commit(again).has_value());
  EXPECT_EQ(store().hosts().value(), listed);
}

TEST_P(LedgerTest, AHostOfACommitThatFailedIsListedByTheNext) {
  auto owned = store().acquire(kPartition, "one").value();
  auto fenced = commit_of(owned, 10, {{{600, "a", "web1", 200}, sum_of(1, 10)}});
  fenced.epoch += 1;
  ASSERT_FALSE(store().commit(fenced).has_value());
  EXPECT_TRUE(store().hosts()->empty());
  ASSERT_TRUE(store().commit(commit_of(owned, 10, {{{600, "a", "web1", 200}, sum_of(1, 10)}})).has_value());
  EXPECT_EQ(store().hosts().value(), (std::vector<std::string>{"web1"}));
}

TEST_P(LedgerTest, AnOlderHeartbeatDoesNotReplaceANewerOne) {
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

TEST_P(LedgerTest, SourcesNotHeardOfAreForgottenInStepsThoseWithGapsLater) {
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

TEST_P(LedgerTest, PartitionsOfTheSameWindowsCommitAtOnce) {
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

INSTANTIATE_TEST_SUITE_P(Sqlite, LedgerTest, ::testing::Values(Backend::kSqlite));
INSTANTIATE_TEST_SUITE_P(Mysql, LedgerTest, ::testing::Values(Backend::kMysql));

}  // namespace
}  // namespace weir
