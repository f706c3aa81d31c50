// A store on a real SQLite, or on a real MariaDB when tests/parts/with-mariadb runs us.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "aggregator/store/sql_connection.h"
#include "aggregator/store/store.h"
#include "tests/unit/store/backend.h"
#include "tests/unit/store/version_2.h"
#include "tests/unit/temp_folder.h"

namespace weir::testing {

inline const PartitionKey kPartition{"access", 0};

class StoreTest : public ::testing::TestWithParam<Backend> {
 protected:
  void SetUp() override {
    if (GetParam() == Backend::kMysql) {
      for (const char* table : kAllTables) sql(std::string("DROP TABLE IF EXISTS ") + table);
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

inline WindowSum sum_of(std::uint64_t requests, std::uint64_t bytes, std::uint64_t latency_ms = 5) {
  WindowSum sum;
  sum.requests = requests;
  sum.bytes_sent = sum.flow_bytes = bytes;
  sum.request_bytes = requests * 3;
  sum.request_time_ms = requests * latency_ms;
  sum.upstream_time_ms = requests * 2;
  for (std::uint64_t i = 0; i < requests; ++i) sum.latency.add(latency_ms);
  return sum;
}

inline Commit commit_of(const PartitionState& owned, std::int64_t next_offset, WindowDelta windows,
                        PartitionKey partition = kPartition) {
  Commit commit;
  commit.partition = std::move(partition);
  commit.epoch = owned.epoch;
  commit.expected_next_offset = owned.next_offset;
  commit.next_offset = next_offset;
  commit.windows = std::move(windows);
  return commit;
}

inline std::uint64_t total_requests(Store& store) {
  const auto rows = store.traffic({}, 100);
  if (!rows) throw std::runtime_error(rows.error().what);
  std::uint64_t total = 0;
  for (const auto& row : *rows) total += row.sum.requests;
  return total;
}

}  // namespace weir::testing
