// A store whose connection fails where a test says, and a minimal engine that settles through it.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "aggregator/store/sql_connection.h"
#include "aggregator/store/store.h"
#include "tests/unit/store/backend.h"
#include "tests/unit/store/fault_connection.h"
#include "tests/unit/temp_folder.h"

namespace weir::testing::faults {

using std::chrono::milliseconds;

inline const PartitionKey kPartition{"access", 0};
inline constexpr std::int64_t kMessages = 4;
inline constexpr int kMaxRounds = 200;  // for play(): far more than any single fault needs

using Decide = std::function<Fault(std::string_view)>;

inline const struct {
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

inline SourceId source_id(int number) {
  return make_source_id("web1", "/var/log/nginx/access.log", "first of " + std::to_string(number));
}

inline WindowSum sum_of(std::uint64_t requests) {
  WindowSum sum;
  sum.requests = requests;
  sum.bytes_sent = sum.flow_bytes = requests * 100;
  for (std::uint64_t i = 0; i < requests; ++i) sum.latency.add(5 + i);
  return sum;
}

// What the message at `offset` adds to whatever the store then has of its sources.
inline Commit commit_of(const PartitionState& owned, std::vector<SourceState> sources, std::int64_t offset) {
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
  // The fourth is foreign: no source's version shows that it was counted, only the offset.
  for (int i = 0; i < 2 && offset < 3; ++i) {
    const auto id = source_id(i);
    const auto found =
        std::find_if(sources.begin(), sources.end(), [&](const auto& s) { return s.id == id; });
    SourceState source = found == sources.end() ? SourceState{} : *found;
    source.id = id;
    source.agent_id = source.host = "web1";
    source.path = "/var/log/nginx/access.log";
    // The first leaves a gap, the second one with a cause, the third fills half of the first's.
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

  // A separate connection; with SQLite, each opens the same file.
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
  // An empty database. With SQLite it has no tables yet, and is in memory for speed.
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
  // Opens the database that empty() made.
  [[nodiscard]] std::unique_ptr<Store> open(Decide decide) {
    return make_sql_store(std::make_unique<FaultConnection>(database_, std::move(decide)),
                          [this](milliseconds pause) { pauses_.push_back(pause); });
  }

  // Settles all messages as the engine does: a failed store is reopened and the same commit is tried again;
  // only a fence makes it acquire the partition again. Returns the number of rounds.
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

  // Everything that does not depend on how often a partition was acquired or a commit tried.
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

}  // namespace weir::testing::faults
