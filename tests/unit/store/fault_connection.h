// A connection that fails where the test says, and the way a database fails: an open transaction is rolled
// back when the connection is lost or a deadlock chose it, and an answer may be lost after the statement took
// effect.
#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "aggregator/store/sql_connection.h"

namespace weir::testing {

enum class Fault {
  kNone,
  kFailBefore,   // the connection is lost, the statement not executed
  kFailAfter,    // the statement is executed, its answer and the connection are lost
  kDeadlock,     // the database has rolled the transaction back
  kLockTimeout,  // the statement is not executed, the transaction still open
  kReadOnly,     // a fail-over: refused, and the connection closed, as MySQL does
  kDiskFull,     // the statement is not executed, the transaction still open
};

class FaultConnection : public SqlConnection {
 public:
  // `inner` may be shared by several stores on one database, as long as only one at a time has a transaction.
  // `decide` is called before each statement, and before "LOCK SCHEMA" and "UNLOCK SCHEMA"; connect() does
  // not fail.
  FaultConnection(std::shared_ptr<SqlConnection> inner, std::function<Fault(std::string_view sql)> decide)
      : inner_(std::move(inner)), decide_(std::move(decide)) {}
  ~FaultConnection() override { disconnect(); }
  FaultConnection(const FaultConnection&) = delete;
  FaultConnection& operator=(const FaultConnection&) = delete;

  [[nodiscard]] Result<void> each_row(std::string_view sql, const std::vector<SqlValue>& parameters,
                                      const OnRow& on_row) override {
    if (!connected_) return lost();
    const Fault fault = decide_(sql);
    if (fault != Fault::kNone && fault != Fault::kFailAfter) return refuse(fault);
    auto done = inner_->each_row(sql, parameters, on_row);
    affected_ = inner_->affected_rows();
    if (done && sql == begin_sql()) in_transaction_ = true;
    if (done && (sql == "COMMIT" || sql == "ROLLBACK")) in_transaction_ = false;
    if (fault != Fault::kFailAfter) return done;
    disconnect();
    return lost();
  }
  [[nodiscard]] std::uint64_t affected_rows() const override { return affected_; }
  [[nodiscard]] bool connected() const override { return connected_; }
  // Rolls back the old connection's transaction, as closing it does.
  [[nodiscard]] Result<void> connect() override {
    disconnect();
    if (!inner_->connected()) {
      if (auto connected = inner_->connect(); !connected) return connected;
    }
    connected_ = true;
    return {};
  }
  [[nodiscard]] std::string_view begin_sql() const override { return inner_->begin_sql(); }
  [[nodiscard]] std::string_view column_type(ColumnType type) const override {
    return inner_->column_type(type);
  }
  [[nodiscard]] std::string_view column_exists_sql() const override { return inner_->column_exists_sql(); }
  [[nodiscard]] std::string_view clustered_sql() const override { return inner_->clustered_sql(); }
  [[nodiscard]] std::size_t rows_per_statement() const override { return inner_->rows_per_statement(); }
  [[nodiscard]] Result<void> lock_schema() override {
    if (!connected_) return lost();
    const Fault fault = decide_("LOCK SCHEMA");
    if (fault != Fault::kNone && fault != Fault::kFailAfter) return std::unexpected(refuse(fault).error());
    auto locked = inner_->lock_schema();
    schema_locked_ = locked.has_value();
    if (fault != Fault::kFailAfter) return locked;
    disconnect();
    return lost();
  }
  [[nodiscard]] Result<void> unlock_schema() override {
    if (!connected_ || !schema_locked_) return lost();
    const Fault fault = decide_("UNLOCK SCHEMA");
    Result<void> done;
    if (fault == Fault::kNone || fault == Fault::kFailAfter) {
      schema_locked_ = false;
      done = inner_->unlock_schema();
    }
    if (fault == Fault::kNone) return done;
    disconnect();
    return lost();
  }

 private:
  [[nodiscard]] static std::unexpected<Error> lost() {
    return fail(Code::kUnavailable, "store: the test lost the connection");
  }
  [[nodiscard]] std::unexpected<Error> refuse(Fault fault) {
    switch (fault) {
      case Fault::kDeadlock:
        roll_back();
        return fail(Code::kFull, "store: the test's deadlock");
      case Fault::kLockTimeout:
        return fail(Code::kFull, "store: the test's lock wait time-out");
      case Fault::kDiskFull:
        return fail(Code::kIo, "store: the test's disk is full");
      case Fault::kReadOnly:
        disconnect();
        return fail(Code::kUnavailable, "store: the test's server is read only");
      default:
        disconnect();
        return lost();
    }
  }
  void roll_back() {
    if (std::exchange(in_transaction_, false) || schema_locked_)
      static_cast<void>(inner_->query("ROLLBACK", {}));
  }
  void disconnect() {
    roll_back();
    if (std::exchange(schema_locked_, false)) std::ignore = inner_->unlock_schema();
    connected_ = false;
  }

  std::shared_ptr<SqlConnection> inner_;
  std::function<Fault(std::string_view)> decide_;
  std::uint64_t affected_ = 0;
  bool connected_ = true;
  bool in_transaction_ = false;
  bool schema_locked_ = false;
};

}  // namespace weir::testing
