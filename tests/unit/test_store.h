// The real store on an SQLite of its own, for tests of its readers. A few words fill it, every connection
// from opener() shares it, and it becomes unavailable when the test says so.
#pragma once

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "aggregator/store/sql_connection.h"
#include "aggregator/store/store.h"
#include "tests/unit/store/fault_connection.h"
#include "tests/unit/temp_folder.h"

namespace weir::test {

class TestStore {
 public:
  std::atomic<bool> down = false;
  std::atomic<int> opened = 0;

  TestStore() : connection_(connect()), store_(make_sql_store(connect())) {
    must(store_->migrate());
    owned_ = must(store_->acquire(kPartition, "test"));
  }

  // For the test's own thread.
  [[nodiscard]] Store& store() { return *store_; }
  std::vector<SqlRow> sql(std::string_view text) { return must(connection_->query(text)); }

  void add(std::int64_t start_s, std::string site, std::string host, std::uint16_t status,
           std::uint64_t requests, std::uint64_t bytes, std::uint64_t latency_ms = 10) {
    WindowSum sum;
    sum.requests = requests;
    sum.bytes_sent = sum.flow_bytes = bytes;
    sum.request_time_ms = latency_ms * requests;
    if (requests > 0) sum.latency.add(latency_ms, requests);
    Commit commit;
    commit.new_sites = {site};
    commit.windows[{start_s, std::move(site), std::move(host), status}] = std::move(sum);
    put(std::move(commit));
  }
  void put(SourceState source) {
    Commit commit;
    commit.sources = {std::move(source)};
    put(std::move(commit));
  }
  void put(AgentState agent) {
    Commit commit;
    commit.agents = {std::move(agent)};
    put(std::move(commit));
  }
  void put(DeadLetter letter) {
    Commit commit;
    letter.partition = kPartition;
    commit.dead_letters = {std::move(letter)};
    commit.dead_letter_count = 1;
    put(std::move(commit));
  }

  // A connection that never becomes unavailable.
  [[nodiscard]] std::unique_ptr<SqlConnection> connect() const {
    return must(connect_sqlite(folder_ / "weir.db", false));
  }
  [[nodiscard]] OpenStore opener() {
    return [this]() -> Result<std::unique_ptr<Store>> {
      if (down) return fail(Code::kUnavailable, "test store: it is away", "wait");
      ++opened;
      return make_sql_store(std::make_unique<testing::FaultConnection>(connect(), [this](std::string_view) {
        return down ? testing::Fault::kFailBefore : testing::Fault::kNone;
      }));
    };
  }

 private:
  static inline const PartitionKey kPartition{"access", 0};

  template <class T>
  static T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().what);
    if constexpr (!std::is_void_v<T>) return std::move(*result);
  }
  void put(Commit commit) {
    commit.partition = kPartition;
    commit.epoch = owned_.epoch;
    commit.expected_next_offset = owned_.next_offset;
    commit.next_offset = ++owned_.next_offset;
    must(store_->commit(commit));
  }

  testing::TempFolder folder_;
  std::unique_ptr<SqlConnection> connection_;
  std::unique_ptr<Store> store_;
  PartitionState owned_;
};

}  // namespace weir::test
