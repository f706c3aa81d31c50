// Faults that only a server has: locks of other clients, deadlocks, connections that it closes.
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
  std::string victim_;                  // the connection to be killed
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
            // We hold the partition's row, and the other client holds what we want next.
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
  // The server rolls back the transaction that has done less.
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

// kill -9 of the server's thread in the middle of a transaction.
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
