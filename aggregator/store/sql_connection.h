// One database connection, SQLite or MySQL, with what SqlStore needs.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "aggregator/store/store.h"
#include "aggregator/store/tables.h"
#include "proto/result.h"

namespace weir {

using SqlValue = std::variant<std::int64_t, std::string>;  // numbers, bytes
using SqlRow = std::vector<SqlValue>;

[[nodiscard]] inline std::int64_t number(const SqlValue& value) {
  const auto* n = std::get_if<std::int64_t>(&value);
  return n != nullptr ? *n : 0;
}
[[nodiscard]] inline std::string text(const SqlValue& value) {
  const auto* s = std::get_if<std::string>(&value);
  return s != nullptr ? *s : std::to_string(std::get<std::int64_t>(value));
}

// The store's integers are signed: both forms are equal modulo 2^64.
[[nodiscard]] inline std::int64_t as_number(std::uint64_t value) { return static_cast<std::int64_t>(value); }
[[nodiscard]] inline std::int64_t as_number(DeadLetterKind kind) { return static_cast<std::int64_t>(kind); }
[[nodiscard]] inline std::uint64_t as_unsigned(const SqlValue& value) {
  return static_cast<std::uint64_t>(number(value));
}

class SqlConnection {
 public:
  virtual ~SqlConnection() = default;
  // Called with each row as it arrives. It must not run a statement on this connection. Returning an error
  // ends the statement.
  using OnRow = std::function<Result<void>(const SqlRow&)>;
  // Runs one statement and keeps it prepared for the next call with the same text.
  // Errors: kUnavailable (connection lost: whether the statement took effect is unknown), kFull (deadlock,
  // lock time-out, busy: roll back and retry), kInvalid (refused: password, rights), kFenced (the key already
  // exists), kIo. ROLLBACK outside a transaction is not an error.
  [[nodiscard]] virtual Result<void> each_row(std::string_view sql, const std::vector<SqlValue>& parameters,
                                              const OnRow& on_row) = 0;
  // The same, returning all rows at once.
  [[nodiscard]] Result<std::vector<SqlRow>> query(std::string_view sql,
                                                  const std::vector<SqlValue>& parameters = {}) {
    std::vector<SqlRow> rows;
    auto done = each_row(sql, parameters, [&rows](const SqlRow& row) -> Result<void> {
      rows.push_back(row);
      return {};
    });
    if (!done) return std::unexpected(done.error());
    return rows;
  }
  [[nodiscard]] virtual std::uint64_t affected_rows()
      const = 0;  // by the last statement: rows that matched, changed or not
  [[nodiscard]] virtual bool connected() const = 0;
  [[nodiscard]] virtual Result<void> connect() = 0;  // also called again after the connection was lost
  // Where the two databases differ.
  [[nodiscard]] virtual std::string_view begin_sql() const = 0;
  [[nodiscard]] virtual std::string_view column_type(ColumnType type) const = 0;
  // A SELECT with a table name and a column name as parameters; it returns 0 if the column does not exist.
  [[nodiscard]] virtual std::string_view column_exists_sql() const = 0;
  // Appended to CREATE TABLE so that rows are stored in primary-key order, in the tree of that key.
  [[nodiscard]] virtual std::string_view clustered_sql() const = 0;
  // How many rows one statement should write or look up: many if each statement is a round trip.
  [[nodiscard]] virtual std::size_t rows_per_statement() const = 0;
  [[nodiscard]] virtual Result<void> lock_schema() = 0;
  // Success: everything done since lock_schema() is permanent.
  [[nodiscard]] virtual Result<void> unlock_schema() = 0;
};

[[nodiscard]] Result<std::unique_ptr<SqlConnection>> connect_sqlite(const std::string& path, bool read_only);
[[nodiscard]] Result<std::unique_ptr<SqlConnection>> connect_mysql(const MysqlConfig& config);

// How long to wait before retrying a transaction that the database rolled back.
using RetryPause = std::function<void(std::chrono::milliseconds)>;
void sleep_for(std::chrono::milliseconds pause);
[[nodiscard]] std::unique_ptr<Store> make_sql_store(std::unique_ptr<SqlConnection> connection,
                                                    RetryPause pause = sleep_for);

}  // namespace weir
