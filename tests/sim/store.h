// The real store code on a real SQL engine (SQLite in memory), behind connections that fail: before a
// statement, after it, in COMMIT with either outcome, or completely for a while. They can also crash the
// process.
#pragma once

#include <functional>
#include <memory>

#include "aggregator/store/sql_connection.h"
#include "tests/sim/random.h"

namespace weir::sim {

struct StoreFaults {
  bool down = false;
  std::uint64_t fail_before_per_mille = 0;  // connection lost, statement not executed
  std::uint64_t fail_after_per_mille = 0;   // statement executed, its answer lost
  std::uint64_t deadlock_per_mille = 0;
  std::uint64_t disk_full_per_mille = 0;
  std::uint64_t crash_per_mille = 0;  // the aggregator crashes, before or after the statement
};

class SimConnection : public SqlConnection {
 public:
  // All aggregators share `database`. There is one transaction at a time, because the world has one thread.
  // `at_begin` is called before a transaction: others may act while this process sleeps.
  SimConnection(std::shared_ptr<SqlConnection> database, Random& random, const StoreFaults& faults,
                std::function<void()> at_begin)
      : database_(std::move(database)), random_(random), faults_(faults), at_begin_(std::move(at_begin)) {}

  [[nodiscard]] Result<void> each_row(std::string_view sql, const std::vector<SqlValue>& parameters,
                                      const OnRow& on_row) override {
    if (!connected_) return lost();
    const bool begins = sql == database_->begin_sql();
    if (begins) at_begin_();
    if (random_.per_mille(faults_.crash_per_mille)) die();
    if (faults_.down || random_.per_mille(faults_.fail_before_per_mille)) {
      disconnect();
      return lost();
    }
    if (in_transaction_ && random_.per_mille(faults_.deadlock_per_mille))
      return fail(Code::kFull, "store: simulated deadlock");
    if (in_transaction_ && random_.per_mille(faults_.disk_full_per_mille))
      return fail(Code::kIo, "store: simulated full disk");
    auto done = database_->each_row(sql, parameters, on_row);
    if (begins && done) in_transaction_ = true;
    if ((sql == "COMMIT" || sql == "ROLLBACK") && done) in_transaction_ = false;
    affected_ = database_->affected_rows();
    if (random_.per_mille(faults_.crash_per_mille)) die();
    if (random_.per_mille(faults_.fail_after_per_mille)) {
      disconnect();
      return lost();
    }
    return done;
  }
  [[nodiscard]] std::uint64_t affected_rows() const override { return affected_; }
  [[nodiscard]] bool connected() const override { return connected_; }
  [[nodiscard]] Result<void> connect() override {
    if (faults_.down) return lost();
    connected_ = true;
    return {};
  }
  [[nodiscard]] std::string_view begin_sql() const override { return database_->begin_sql(); }
  [[nodiscard]] std::string_view column_type(ColumnType type) const override {
    return database_->column_type(type);
  }
  [[nodiscard]] std::string_view column_exists_sql() const override { return database_->column_exists_sql(); }
  // The schema already exists; other tests cover its creation.
  [[nodiscard]] std::string_view clustered_sql() const override { return database_->clustered_sql(); }
  [[nodiscard]] std::size_t rows_per_statement() const override { return database_->rows_per_statement(); }
  [[nodiscard]] Result<void> lock_schema() override { return connected_ ? Result<void>{} : lost(); }
  [[nodiscard]] Result<void> unlock_schema() override { return connected_ ? Result<void>{} : lost(); }

 private:
  [[nodiscard]] static std::unexpected<Error> lost() {
    return fail(Code::kUnavailable, "store: simulated connection loss");
  }
  // A server rolls back the transaction of a lost connection.
  void disconnect() {
    connected_ = false;
    if (std::exchange(in_transaction_, false)) std::ignore = database_->query("ROLLBACK", {});
  }
  void die() {
    disconnect();
    throw Crash{};
  }

  std::shared_ptr<SqlConnection> database_;
  Random& random_;
  const StoreFaults& faults_;
  std::function<void()> at_begin_;
  bool connected_ = true;
  bool in_transaction_ = false;
  std::uint64_t affected_ = 0;
};

}  // namespace weir::sim
