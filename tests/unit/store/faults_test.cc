// A store that fails at any statement, in any way: once it works again its tables are those of a
// run without faults. On a real SQLite, and on a real MariaDB when tests/parts/with-mariadb runs us.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "aggregator/store/sql_connection.h"
#include "tests/unit/store/backend.h"
#include "tests/unit/store/fault_connection.h"
#include "tests/unit/store/version_2.h"
#include "tests/unit/temp_folder.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using testing::Backend;
using testing::Fault;
using testing::FaultConnection;
using ::testing::HasSubstr;
using testing::mysql_config;
using testing::TempFolder;

const PartitionKey kPartition{"access", 0};
constexpr std::int64_t kMessages = 4;
constexpr int kMaxRounds = 200;  // of play(): far beyond what any one fault needs

using Decide = std::function<Fault(std::string_view)>;

const struct {
  const char* name;
  Fault fault;
} kFaults[] = {
    {"connection lost before it", Fault::kFailBefore},
    {"done and its answer lost", Fault::kFailAfter},
    {"deadlock", Fault::kDeadlock},
    {"lock wait time-out", Fault::kLockTimeout},
    {"read only", Fault::kReadOnly},
    {"disk full", Fault::kDiskFull},
};

SourceId source_id(int number) {
  return make_source_id("web1", "/var/log/nginx/access.log", "first of " + std::to_string(number));
}

WindowSum sum_of(std::uint64_t requests) {
  WindowSum sum;
  sum.requests = requests;
  sum.bytes_sent = sum.flow_bytes = requests * 100;
  for (std::uint64_t i = 0; i < requests; ++i) sum.latency.add(5 + i);
  return sum;
}

// What the message at `offset` adds, to whatever the store has of its sources by then.
Commit commit_of(const PartitionState& owned, std::vector<SourceState> sources, std::int64_t offset) {
  Commit commit;
  commit.partition = kPartition;
  commit.epoch = owned.epoch;
  commit.expected_next_offset = owned.next_offset;
  commit.next_offset = offset + 1;
  commit.cluster_id = "cluster";
  commit.leader_epoch = 1;
  const auto n = static_cast<std::uint64_t>(offset) + 1;
  commit.windows[{600, "shop.example", "web1", 200}] = sum_of(n);
  commit.windows[{600 + 60 * offset, "shop.example", "web1", 404}] = sum_of(1);
  // The fourth is foreign: no version of a source betrays that it was counted, only the offset.
  for (int i = 0; i < 2 && offset < 3; ++i) {
    const auto id = source_id(i);
    const auto found =
        std::find_if(sources.begin(), sources.end(), [&](const auto& s) { return s.id == id; });
    SourceState source = found == sources.end() ? SourceState{} : *found;
    source.id = id;
    source.agent_id = source.host = "web1";
    source.path = "/var/log/nginx/access.log";
    // The first leaves a gap, the second one with a cause, the third closes half of the first's.
    if (offset == 0) source.coverage.add({500, 600}, 0, LossCause::kNotReceived, 1000);
    if (offset == 1) source.coverage.lose({600, 700}, 0, LossCause::kTruncatedUnread, 2000);
    if (offset == 2) source.coverage.add({0, 250}, 0);
    source.lines += n;
    source.last_seen_ms = offset;
    commit.sources.push_back(std::move(source));
  }
  commit.dead_letters = {
      {kPartition, offset, 0, DeadLetterKind::kUnreadable, "", "is no batch", std::string("\0<b>", 4), 7}};
  commit.dead_letter_count = 2;
  commit.agents = {{"web1", "web1.example", 7, 1000 + offset, 900, n}};
  commit.new_sites = {"shop.example"};
  return commit;
}

class StoreFaultsTest : public ::testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    if (GetParam() == Backend::kMysql) {
      database_ = raw();
      for (const char* table : kTables) sql(std::string("DROP TABLE IF EXISTS ") + table);
    }
    empty();
  }

  // A connection of its own; on SQLite each to the one file.
  [[nodiscard]] std::unique_ptr<SqlConnection> raw() const {
    auto connection = GetParam() == Backend::kSqlite ? connect_sqlite(folder_ / "weir.db", false)
                                                     : connect_mysql(mysql_config());
    if (!connection) throw std::runtime_error(connection.error().what);
    return std::move(*connection);
  }
  std::vector<SqlRow> sql(const std::string& text) {
    auto rows = database_->query(text);
    if (!rows) throw std::runtime_error(rows.error().what);
    return std::move(*rows);
  }
  // An empty database: of SQLite not even with tables, in memory for speed.
  void empty() {
    if (GetParam() == Backend::kSqlite) {
      auto made = connect_sqlite(":memory:", false);
      if (!made) throw std::runtime_error(made.error().what);
      database_ = std::move(*made);
      return;
    }
    if (!make_sql_store(raw())->migrate()) throw std::runtime_error("no tables");
    for (const char* table : kTables) {
      if (table != std::string_view("meta")) sql(std::string("DELETE FROM ") + table);
    }
    sql("UPDATE meta SET value = 0 WHERE name = 'last_mail_id'");
  }
  // On the database that empty() made.
  [[nodiscard]] std::unique_ptr<Store> open(Decide decide) {
    return make_sql_store(std::make_unique<FaultConnection>(database_, std::move(decide)),
                          [this](milliseconds pause) { pauses_.push_back(pause); });
  }

  // Settles all messages as the engine does: a store that failed is opened again and the very same
  // commit is tried again; only a fence makes it take the partition anew. The rounds it took.
  int play(const Decide& decide) {
    std::unique_ptr<Store> store;
    std::optional<PartitionState> owned;
    std::optional<Commit> sealed;
    for (int round = 1; round <= kMaxRounds; ++round) {
      if (!store) {
        store = open(decide);
        if (!store->migrate()) {
          store.reset();
          continue;
        }
      }
      if (!owned) {
        auto taken = store->acquire(kPartition, "owner");
        if (!taken) {
          store.reset();
          continue;
        }
        owned = *taken;
      }
      if (owned->next_offset == kMessages) return round;
      if (!sealed) {
        auto sources = store->load_sources({source_id(0), source_id(1)});
        if (!sources) {
          store.reset();
          continue;
        }
        sealed = commit_of(*owned, std::move(*sources), std::max<std::int64_t>(0, owned->next_offset));
      }
      if (const auto done = store->commit(*sealed); done) {
        owned->next_offset = sealed->next_offset;
        sealed.reset();
      } else if (done.error().code == Code::kFenced) {
        owned.reset();
        sealed.reset();
      } else {
        EXPECT_NE(done.error().code, Code::kFull) << "the caller does not try again: " << done.error().what;
        store.reset();
      }
    }
    ADD_FAILURE() << "it did not recover";
    return kMaxRounds;
  }

  // All that does not tell how often a partition was taken or a commit tried.
  std::map<std::string, std::multiset<std::string>> tables() {
    std::map<std::string, std::multiset<std::string>> out;
    for (const std::string table : kTables) {
      const auto columns = table == "partition_state"
                               ? "topic, partition_id, next_offset, cluster_id, leader_epoch, dead_letters"
                               : "*";
      auto& rows = out[table];
      for (const auto& row : sql("SELECT " + std::string(columns) + " FROM " + table)) {
        std::string line;
        for (const auto& value : row) line += text(value) + "|";
        rows.insert(line);
      }
    }
    return out;
  }

  static constexpr const char* kTables[] = {"meta",       "partition_state", "window_traffic", "source",
                                            "source_gap", "agent",           "dead_letter",    "site",
                                            "alert",      "outbox",          "alert_history",  "lease"};
  TempFolder folder_;
  std::shared_ptr<SqlConnection> database_;
  std::vector<milliseconds> pauses_;
};

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

// Also what recovers may fail: ROLLBACK, the question whether a COMMIT landed, the next try.
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
    if (GetParam() == Backend::kMysql) break;  // a server takes its time: the first length will do
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
    const auto share = 5 + random() % 20;  // one statement in so many fails
    std::size_t faults_left = 60;          // then the database is well again
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

// A proxy that drops each COMMIT and answers all else: the caller must get its turn again.
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

// MySQL commits what is open when the next transaction begins: half a commit must not be.
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

TEST_P(StoreFaultsTest, AMigrationThatFailsAnywhereIsFinishedTheNextTime) {
  const auto make_version_1 = [this] {
    empty();
    play([](std::string_view) { return Fault::kNone; });
    for (const char* statement :
         {"ALTER TABLE source DROP COLUMN version", "ALTER TABLE source_gap DROP COLUMN cause",
          "ALTER TABLE source_gap DROP COLUMN since_ms", "UPDATE meta SET value = 1 WHERE value = 3"})
      sql(statement);
  };
  std::vector<std::string> statements;
  make_version_1();
  ASSERT_TRUE(open([&](std::string_view text) {
                statements.emplace_back(text);
                return Fault::kNone;
              })
                  ->migrate()
                  .has_value());
  const auto expected = tables();
  for (const auto& [name, fault] : kFaults) {
    for (std::size_t at = 0; at < statements.size(); ++at) {
      SCOPED_TRACE(std::string(name) + " at statement " + std::to_string(at) + ": " + statements[at]);
      make_version_1();
      std::size_t count = 0;
      const auto decide = [&, fault = fault](std::string_view) {
        return count++ == at ? fault : Fault::kNone;
      };
      int rounds = 1;
      while (!open(decide)->migrate() && rounds < 5) ++rounds;
      EXPECT_LE(rounds, 2);
      EXPECT_EQ(tables(), expected);
      if (HasFailure()) return;
    }
    if (GetParam() == Backend::kMysql && fault == Fault::kFailAfter) break;  // each takes it a second
  }
}

TEST_P(StoreFaultsTest, AMigrationFromVersion2ThatFailsAnywhereIsFinishedTheNextTime) {
  const auto make_version_2 = [this] {
    empty();
    for (const char* table : testing::kAllTables) sql(std::string("DROP TABLE IF EXISTS ") + table);
    for (const auto& statement : testing::version_2_statements(GetParam(), WEIR_TEST_DATA)) sql(statement);
  };
  std::vector<std::string> statements;
  make_version_2();
  ASSERT_TRUE(open([&](std::string_view text) {
                statements.emplace_back(text);
                return Fault::kNone;
              })
                  ->migrate()
                  .has_value());
  const auto expected = tables();
  ASSERT_EQ(expected.at("outbox").size(), 2U);
  // A server takes its time to make tables: there every fifth statement will do.
  const std::size_t stride = GetParam() == Backend::kMysql ? 5 : 1;
  for (const auto& [name, fault] : kFaults) {
    for (std::size_t at = 0; at < statements.size(); at += stride) {
      SCOPED_TRACE(std::string(name) + " at statement " + std::to_string(at) + ": " + statements[at]);
      make_version_2();
      std::size_t count = 0;
      const auto decide = [&, fault = fault](std::string_view) {
        return count++ == at ? fault : Fault::kNone;
      };
      int rounds = 1;
      while (!open(decide)->migrate() && rounds < 5) ++rounds;
      EXPECT_LE(rounds, 2);
      EXPECT_EQ(tables(), expected);
      if (HasFailure()) return;
    }
    if (GetParam() == Backend::kMysql && fault == Fault::kFailAfter) break;  // each takes it a second
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

// What a power loss leaves: the files as they are, the last write of the log perhaps torn.
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

class MysqlStoreFaults : public ::testing::Test {
 protected:
  void SetUp() override {
    raw_ = connect_mysql(mysql_config()).value();
    for (const char* table : {"meta", "partition_state", "window_traffic", "source", "source_gap",
                              "dead_letter", "agent", "site", "alert", "outbox", "alert_history", "lease"})
      sql(std::string("DROP TABLE IF EXISTS ") + table);
  }
  void sql(const std::string& text) const {
    if (const auto done = raw_->query(text); !done) throw std::runtime_error(done.error().what);
  }
  std::unique_ptr<SqlConnection> raw_;  // another client of the server
  std::string victim_;                  // a connection to be killed
};

TEST_F(MysqlStoreFaults, ALockThatIsHeldTooLongIsWaitedForAgain) {
  auto connection = connect_mysql(mysql_config()).value();
  ASSERT_TRUE(connection->query("SET SESSION innodb_lock_wait_timeout = 0").has_value());
  int pauses = 0;
  const auto store = make_sql_store(std::move(connection), [&](milliseconds) {
    if (++pauses == 3) sql("ROLLBACK");
  });
  ASSERT_TRUE(store->migrate().has_value());
  const auto owned = store->acquire(kPartition, "one").value();
  sql("START TRANSACTION");
  sql("UPDATE partition_state SET owner = 'somebody'");
  const auto done = store->commit(commit_of(owned, {}, 0));
  EXPECT_TRUE(done.has_value()) << done.error().what;
  EXPECT_EQ(pauses, 3);
  EXPECT_EQ(store->traffic({}, 10)->front().sum.requests, 2U);
}

TEST_F(MysqlStoreFaults, TheVictimOfADeadlockCommitsOnItsNextTry) {
  ASSERT_TRUE(make_sql_store(connect_mysql(mysql_config()).value())->migrate().has_value());
  std::future<bool> other;
  bool armed = false;
  int pauses = 0;
  const auto store = make_sql_store(
      std::make_unique<FaultConnection>(
          connect_mysql(mysql_config()).value(),
          [&](std::string_view text) {
            // We hold the partition's row by now, and the other holds what we want next.
            if (text.starts_with("REPLACE INTO window_traffic") && std::exchange(armed, false)) {
              other = std::async(std::launch::async, [&] {
                return raw_->query("UPDATE partition_state SET owner = 'somebody'").has_value() &&
                       raw_->query("ROLLBACK").has_value();
              });
            }
            return Fault::kNone;
          }),
      [&](milliseconds) {
        ++pauses;
        EXPECT_TRUE(other.get());
      });
  const auto owned = store->acquire(kPartition, "one").value();
  ASSERT_TRUE(store->commit(commit_of(owned, {}, 0)).has_value());
  // The server rolls back the one that has done less.
  sql("START TRANSACTION");
  for (int i = 0; i < 200; ++i) sql("INSERT INTO site(name) VALUES ('other" + std::to_string(i) + "')");
  sql("UPDATE window_traffic SET requests = requests + 1000");
  auto next = owned;
  next.next_offset = 1;
  auto sources = store->load_sources({source_id(0), source_id(1)}).value();
  armed = true;
  const auto done = store->commit(commit_of(next, std::move(sources), 1));
  EXPECT_TRUE(done.has_value()) << done.error().what;
  EXPECT_EQ(pauses, 1);
  EXPECT_EQ(store->traffic({}, 10)->front().sum.requests, 5U);
}

TEST_F(MysqlStoreFaults, AServerThatBecameReadOnlyIsLeftForAnother) {
  auto connection = connect_mysql(mysql_config()).value();
  auto* ours = connection.get();
  const auto store = make_sql_store(std::move(connection));
  ASSERT_TRUE(store->migrate().has_value());
  const auto owned = store->acquire(kPartition, "one").value();
  ASSERT_TRUE(ours->query("SET SESSION TRANSACTION READ ONLY").has_value());
  const auto refused = store->commit(commit_of(owned, {}, 0));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kUnavailable) << refused.error().what;
  EXPECT_FALSE(ours->connected()) << "behind the same name may be a new primary by now";
  const auto done = store->commit(commit_of(owned, {}, 0));
  EXPECT_TRUE(done.has_value()) << done.error().what;
}

// kill -9 of the server's thread, in the middle of a transaction.
TEST_F(MysqlStoreFaults, AConnectionThatTheServerClosedLeavesNothingBehind) {
  auto connection = std::make_unique<FaultConnection>(
      std::shared_ptr<SqlConnection>(connect_mysql(mysql_config()).value()), [this](std::string_view text) {
        if (text.starts_with("REPLACE INTO dead_letter") && !victim_.empty())
          sql("KILL CONNECTION " + std::exchange(victim_, {}));
        return Fault::kNone;
      });
  auto* ours = connection.get();
  const auto store = make_sql_store(std::move(connection));
  ASSERT_TRUE(store->migrate().has_value());
  const auto owned = store->acquire(kPartition, "one").value();
  victim_ = text(ours->query("SELECT CONNECTION_ID()", {})->front().front());
  const auto lost = store->commit(commit_of(owned, {}, 0));
  ASSERT_FALSE(lost.has_value());
  EXPECT_EQ(lost.error().code, Code::kUnavailable) << lost.error().what;
  EXPECT_TRUE(make_sql_store(connect_mysql(mysql_config()).value())->traffic({}, 10)->empty());
}

TEST_F(MysqlStoreFaults, AConnectionThatTheServerClosedWhileItWasIdleIsMadeAnew) {
  auto connection = connect_mysql(mysql_config()).value();
  auto* ours = connection.get();
  const auto store = make_sql_store(std::move(connection));
  ASSERT_TRUE(store->migrate().has_value());
  const auto owned = store->acquire(kPartition, "one").value();
  sql("KILL CONNECTION " + text(ours->query("SELECT CONNECTION_ID()", {})->front().front()));
  const auto done = store->commit(commit_of(owned, {}, 0));
  EXPECT_TRUE(done.has_value()) << done.error().what;
}

}  // namespace
}  // namespace weir
