// One connection to a database, as SqlStore needs it: SQLite or MySQL.
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

// The store's numbers are signed: modulo 2^64 they are the same.
[[nodiscard]] inline std::int64_t as_number(std::uint64_t value) { return static_cast<std::int64_t>(value); }
[[nodiscard]] inline std::int64_t as_number(DeadLetterKind kind) { return static_cast<std::int64_t>(kind); }
[[nodiscard]] inline std::uint64_t as_unsigned(const SqlValue& value) {
  return static_cast<std::uint64_t>(number(value));
}

class SqlConnection {
 public:
  virtual ~SqlConnection() = default;
  // Called with each row as it comes. It must not run a statement on this connection. An error ends the
  // statement.
  using OnRow = std::function<Result<void>(const SqlRow&)>;
  // Runs one statement, and keeps it prepared for the next call with the same text.
  // Errors: kUnavailable (connection lost: whether the statement was done is unknown), kFull (deadlock, lock
  // time-out, busy: roll back and try again), kInvalid (refused: password, rights), kFenced (the key exists
  // already), kIo. ROLLBACK outside of a transaction is not an error.
  [[nodiscard]] virtual Result<void> each_row(std::string_view sql, const std::vector<SqlValue>& parameters,
                                              const OnRow& on_row) = 0;
  // The same, with all rows at once.
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
      const = 0;  // of the last statement: rows that matched, changed or not
  [[nodiscard]] virtual bool connected() const = 0;
  [[nodiscard]] virtual Result<void> connect() = 0;  // also again, after the connection was lost
  // What differs between the two.
  [[nodiscard]] virtual std::string_view begin_sql() const = 0;
  [[nodiscard]] virtual std::string_view column_type(ColumnType type) const = 0;
  // A SELECT that takes the names of a table and a column and gives a number: 0 when there is no such column.
  [[nodiscard]] virtual std::string_view column_exists_sql() const = 0;
  // Appended to a CREATE TABLE: keeps the rows in the order of the primary key, in one tree with it.
  [[nodiscard]] virtual std::string_view clustered_sql() const = 0;
  // How many rows a statement should write or look for: many where each statement is a round trip.
  [[nodiscard]] virtual std::size_t rows_per_statement() const = 0;
  [[nodiscard]] virtual Result<void> lock_schema() = 0;
  // Success: everything done since lock_schema() is permanent.
  [[nodiscard]] virtual Result<void> unlock_schema() = 0;
};

[[nodiscard]] Result<std::unique_ptr<SqlConnection>> connect_sqlite(const std::string& path, bool read_only);
[[nodiscard]] Result<std::unique_ptr<SqlConnection>> connect_mysql(const MysqlConfig& config);

// The pause before a transaction that the database rolled back is tried again.
using RetryPause = std::function<void(std::chrono::milliseconds)>;
void sleep_for(std::chrono::milliseconds pause);
[[nodiscard]] std::unique_ptr<Store> make_sql_store(std::unique_ptr<SqlConnection> connection,
                                                    RetryPause pause = sleep_for);

}  // namespace weir
