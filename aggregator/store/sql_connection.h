// One connection to a database, as SqlStore needs it. SQLite and MySQL behind it.
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
  // Called with each row as it comes; runs no statement of this connection. An error ends the statement.
  using OnRow = std::function<Result<void>(const SqlRow&)>;
  // Runs one statement. Statements are kept prepared by their text.
  // Errors: kUnavailable (connection lost: nothing is known of the statement), kFull (deadlock,
  // lock time-out, busy: roll back and do it again), kInvalid (refused: password, rights), kFenced (a key
  // that is there already), kIo. ROLLBACK outside of a transaction is none.
  [[nodiscard]] virtual Result<void> each_row(std::string_view sql, const std::vector<SqlValue>& parameters,
                                              const OnRow& on_row) = 0;
  // All rows that it gives.
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
  [[nodiscard]] virtual std::uint64_t affected_rows() const = 0;  // of the last query; matched, not changed
  [[nodiscard]] virtual bool connected() const = 0;
  [[nodiscard]] virtual Result<void> connect() = 0;  // again, after a loss
  // What differs between the two.
  [[nodiscard]] virtual std::string_view begin_sql() const = 0;
  [[nodiscard]] virtual std::string_view column_type(ColumnType type) const = 0;
  // A SELECT of a number from the names of a table and a column: 0 when there is no such column.
  [[nodiscard]] virtual std::string_view column_exists_sql() const = 0;
  // After a CREATE TABLE: keeps the rows in the order of the primary key, in one tree with it.
  [[nodiscard]] virtual std::string_view clustered_sql() const = 0;
  // Rows that a statement should write or look for: many where each has a way to go.
  [[nodiscard]] virtual std::size_t rows_per_statement() const = 0;
  [[nodiscard]] virtual Result<void> lock_schema() = 0;
  // Without an error all that was done since lock_schema() stays.
  [[nodiscard]] virtual Result<void> unlock_schema() = 0;
};

[[nodiscard]] Result<std::unique_ptr<SqlConnection>> connect_sqlite(const std::string& path, bool read_only);
[[nodiscard]] Result<std::unique_ptr<SqlConnection>> connect_mysql(const MysqlConfig& config);

// Waits before a transaction that the database rolled back is tried again.
using RetryPause = std::function<void(std::chrono::milliseconds)>;
void sleep_for(std::chrono::milliseconds pause);
[[nodiscard]] std::unique_ptr<Store> make_sql_store(std::unique_ptr<SqlConnection> connection,
                                                    RetryPause pause = sleep_for);

}  // namespace weir
