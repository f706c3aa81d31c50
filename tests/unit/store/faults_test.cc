// A store that fails at any statement, in any way: once it works again, its tables equal those of a run
// without faults. On a real SQLite, and on a real MariaDB when tests/parts/with-mariadb runs us.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <random>
#include <thread>

#include "tests/unit/store/faults_fixture.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using testing::Backend;
using testing::Fault;
using testing::FaultConnection;
using ::testing::HasSubstr;
using testing::mysql_config;
using testing::TempFolder;
using namespace testing::faults;

TEST_P(StoreFaultsTest, AFaultAtAnyStatementChangesNoTable) {
  std::vector<std::string> statements;
  play([&](std::string_view text) {
    statements.emplace_back(text);
    return Fault::kNone;
  });
  const auto expected = tables();
  ASSERT_EQ(expected.at("source_gap").size(), 4U);
  ASSERT_EQ(expected.at("dead_letter").size(), 4U);
  for (const auto& [name, fault] : kFaults) {
    for (std::size_t at = 0; at < statements.size(); ++at) {
      SCOPED_TRACE(std::string(name) + " at statement " + std::to_string(at) + ": " + statements[at]);
      empty();
      std::size_t count = 0;
      play([&, fault = fault](std::string_view) { return count++ == at ? fault : Fault::kNone; });
      EXPECT_GT(count, at);
      EXPECT_EQ(tables(), expected);
      if (HasFailure()) return;
    }
  }
}

// The recovery may fail, too: ROLLBACK, the query whether a COMMIT landed, the next attempt.
TEST_P(StoreFaultsTest, SeveralFaultsInARowChangeNoTable) {
  std::size_t total = 0;
  play([&](std::string_view) {
    ++total;
    return Fault::kNone;
  });
  const auto expected = tables();
  for (const std::size_t length : {2U, 3U, 12U}) {
    for (const auto& [name, fault] : kFaults) {
      for (std::size_t at = 0; at < total; ++at) {
        SCOPED_TRACE(std::to_string(length) + " times from statement " + std::to_string(at) + ": " + name);
        empty();
        std::size_t count = 0;
        play([&, fault = fault](std::string_view) {
          const auto now = count++;
          return now >= at && now < at + length ? fault : Fault::kNone;
        });
        EXPECT_EQ(tables(), expected);
        if (HasFailure()) return;
      }
    }
    if (GetParam() == Backend::kMysql) break;  // a server is slow: the first length suffices
  }
}

TEST_P(StoreFaultsTest, FaultsByChanceChangeNoTable) {
  play([](std::string_view) { return Fault::kNone; });
  const auto expected = tables();
  const std::uint32_t seeds = GetParam() == Backend::kSqlite ? 500 : 20;
  for (std::uint32_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    empty();
    std::mt19937 random(seed);
    const auto share = 5 + random() % 20;  // one in this many statements fails
    std::size_t faults_left = 60;          // after that the database works again
    play([&](std::string_view) {
      if (faults_left == 0 || random() % share != 0) return Fault::kNone;
      --faults_left;
      return kFaults[random() % std::size(kFaults)].fault;
    });
    EXPECT_EQ(tables(), expected);
    if (HasFailure()) return;
  }
}

TEST_P(StoreFaultsTest, ACommitWhoseAnswerWasLostIsResolvedByTheStoreItself) {
  for (const Fault fault : {Fault::kFailBefore, Fault::kFailAfter}) {
    SCOPED_TRACE(fault == Fault::kFailAfter ? "it had landed" : "it had not landed");
    empty();
    bool armed = false;
    const auto store = open([&](std::string_view text) {
      return text == "COMMIT" && std::exchange(armed, false) ? fault : Fault::kNone;
    });
    ASSERT_TRUE(store->migrate().has_value());
    const auto owned = store->acquire(kPartition, "one").value();
    armed = true;
    const auto done = store->commit(commit_of(owned, {}, 0));
    EXPECT_TRUE(done.has_value()) << done.error().what;
    EXPECT_FALSE(armed);
    EXPECT_EQ(store->acquire(kPartition, "two")->next_offset, 1);
    EXPECT_EQ(store->traffic({}, 10)->front().sum.requests, 2U);
  }
}

TEST_P(StoreFaultsTest, ACommitThatLandedUnknowinglyIsFencedWhenItIsTriedAgain) {
  bool lost = false;
  auto store = open([&](std::string_view text) {
    if (text == "COMMIT" && lost) return Fault::kFailAfter;
    return lost && text.starts_with("SELECT commit_token") ? Fault::kFailBefore : Fault::kNone;
  });
  ASSERT_TRUE(store->migrate().has_value());
  const auto owned = store->acquire(kPartition, "one").value();
  const auto commit = commit_of(owned, {}, 0);
  lost = true;
  const auto unknown = store->commit(commit);
  ASSERT_FALSE(unknown.has_value());
  EXPECT_EQ(unknown.error().code, Code::kUnavailable);
  lost = false;
  const auto again = store->commit(commit);
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, Code::kFenced);
  EXPECT_EQ(store->acquire(kPartition, "one")->next_offset, 1);
  EXPECT_EQ(store->traffic({}, 10)->front().sum.requests, 2U);
}

// A proxy that drops each COMMIT and answers everything else: control must return to the caller.
TEST_P(StoreFaultsTest, ACommitThatNeverLandsIsGivenUp) {
  bool broken = false;
  int commits = 0;
  const auto store = open([&](std::string_view text) {
    if (!broken || text != "COMMIT") return Fault::kNone;
    return ++commits < 1000 ? Fault::kFailBefore : Fault::kNone;
  });
  ASSERT_TRUE(store->migrate().has_value());
  const auto owned = store->acquire(kPartition, "one").value();
  broken = true;
  const auto done = store->commit(commit_of(owned, {}, 0));
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, Code::kUnavailable);
  EXPECT_LE(commits, 10);
  broken = false;
  EXPECT_TRUE(store->commit(commit_of(owned, {}, 0)).has_value());
}

TEST_P(StoreFaultsTest, ADeadlockThatLastsIsGivenUpAfterPausesThatGrow) {
  bool broken = false;
  const auto store = open([&](std::string_view text) {
    return broken && text.starts_with("UPDATE partition_state") ? Fault::kDeadlock : Fault::kNone;
  });
  ASSERT_TRUE(store->migrate().has_value());
  const auto owned = store->acquire(kPartition, "one").value();
  broken = true;
  pauses_.clear();
  const auto done = store->commit(commit_of(owned, {}, 0));
  ASSERT_FALSE(done.has_value());
  EXPECT_EQ(done.error().code, Code::kUnavailable);
  EXPECT_THAT(done.error().what, HasSubstr("deadlock"));
  ASSERT_EQ(pauses_.size(), 9U);
  EXPECT_TRUE(std::is_sorted(pauses_.begin(), pauses_.end()));
  EXPECT_GT(pauses_.front(), milliseconds(0));
  EXPECT_LT(pauses_.back(), milliseconds(100));
  broken = false;
  EXPECT_TRUE(store->commit(commit_of(owned, {}, 0)).has_value());
}

// MySQL commits an open transaction when the next one begins. Half a commit must never be stored.
TEST_P(StoreFaultsTest, AfterARollbackThatFailedTheConnectionIsMadeAnew) {
  bool broken = false;
  const auto store = open([&](std::string_view text) {
    if (!broken) return Fault::kNone;
    if (text.starts_with("REPLACE INTO dead_letter") || text == "ROLLBACK") return Fault::kDiskFull;
    return Fault::kNone;
  });
  ASSERT_TRUE(store->migrate().has_value());
  const auto owned = store->acquire(kPartition, "one").value();
  broken = true;
  EXPECT_FALSE(store->commit(commit_of(owned, {}, 0)).has_value());
  broken = false;
  ASSERT_TRUE(store->save_alerts({.states = {{"busy", "", AlertPhase::kFiring, 60, 1}}}).has_value());
  EXPECT_TRUE(store->traffic({}, 10)->empty());
  EXPECT_TRUE(store->commit(commit_of(owned, {}, 0)).has_value());
}

TEST_P(StoreFaultsTest, MailsAreWrittenWithTheirAlertsOrNotAtAll) {
  Letter mail;
  mail.channel = "mail";
  mail.address = "ops@example.org";
  for (const auto& [name, fault] : kFaults) {
    for (std::size_t at = 0;; ++at) {
      SCOPED_TRACE(std::string(name) + " at statement " + std::to_string(at));
      empty();
      std::size_t count = 0;
      bool armed = false;
      const auto store = open(
          [&, fault = fault](std::string_view) { return armed && count++ == at ? fault : Fault::kNone; });
      ASSERT_TRUE(store->migrate().has_value());
      armed = true;
      const auto done =
          store->save_alerts({.states = {{"busy", "", AlertPhase::kFiring, 60, 1}}, .letters = {mail, mail}});
      armed = false;
      const auto alerts = store->alerts();
      ASSERT_TRUE(alerts.has_value()) << alerts.error().what;
      EXPECT_EQ(store->letters_waiting().value()["mail"], alerts->empty() ? 0U : 2U);
      EXPECT_TRUE(!done || !alerts->empty());
      if (count <= at) break;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sqlite, StoreFaultsTest, ::testing::Values(Backend::kSqlite));
INSTANTIATE_TEST_SUITE_P(Mysql, StoreFaultsTest, ::testing::Values(Backend::kMysql));

TEST(SqliteStoreFaults, ABusyFileIsTriedAgain) {
  const TempFolder folder;
  auto connection = connect_sqlite(folder / "weir.db", false).value();
  ASSERT_TRUE(connection->query("PRAGMA busy_timeout = 0").has_value());
  const auto other = connect_sqlite(folder / "weir.db", false).value();
  int pauses = 0;
  const auto store = make_sql_store(std::move(connection), [&](milliseconds) {
    if (++pauses == 3) static_cast<void>(other->query("ROLLBACK"));
  });
  ASSERT_TRUE(store->migrate().has_value());
  const auto owned = store->acquire(kPartition, "one").value();
  ASSERT_TRUE(other->query(other->begin_sql()).has_value());
  const auto done = store->commit(commit_of(owned, {}, 0));
  EXPECT_TRUE(done.has_value()) << done.error().what;
  EXPECT_EQ(pauses, 3);
}

// What a power loss leaves: the files as they are, perhaps with the last write of the log torn.
TEST(SqliteStoreFaults, TheFilesHaveEachCommitThatWasAnsweredAndATornLogTakesOnlyTheLast) {
  const TempFolder folder;
  const auto store = open_sqlite(folder / "weir.db").value();
  ASSERT_TRUE(store->migrate().has_value());
  auto owned = store->acquire(kPartition, "one").value();
  std::uintmax_t log_bytes = 0;
  for (std::int64_t offset = 0; offset < 3; ++offset) {
    auto sources = store->load_sources({source_id(0), source_id(1)}).value();
    log_bytes = std::filesystem::file_size(folder / "weir.db-wal");
    ASSERT_TRUE(store->commit(commit_of(owned, std::move(sources), offset)).has_value());
    owned.next_offset = offset + 1;
    const TempFolder copy;
    for (const char* name : {"weir.db", "weir.db-wal"})
      std::filesystem::copy_file(folder / name, copy / name);
    EXPECT_EQ(open_sqlite(copy / "weir.db").value()->acquire(kPartition, "two")->next_offset, offset + 1);
  }
  const auto whole = std::filesystem::file_size(folder / "weir.db-wal");
  ASSERT_GT(whole, log_bytes);
  for (auto size = log_bytes; size < whole; size += (whole - log_bytes) / 7 + 1) {
    SCOPED_TRACE("the log cut to " + std::to_string(size) + " bytes of " + std::to_string(whole));
    const TempFolder copy;
    for (const char* name : {"weir.db", "weir.db-wal"})
      std::filesystem::copy_file(folder / name, copy / name);
    std::filesystem::resize_file(copy / "weir.db-wal", size);
    const auto after = open_sqlite(copy / "weir.db").value();
    auto again = after->acquire(kPartition, "two").value();
    EXPECT_EQ(again.next_offset, 2);
    auto sources = after->load_sources({source_id(0), source_id(1)}).value();
    ASSERT_TRUE(after->commit(commit_of(again, std::move(sources), 2)).has_value());
    EXPECT_EQ(after->traffic({}, 10)->front().sum, store->traffic({}, 10)->front().sum);
  }
}

}  // namespace
}  // namespace weir
