#include "common/sqlite.h"

#include <sqlite3.h>

#include "proto/must.h"

namespace weir {
namespace {

SqliteStatus status_of(int code) {
  switch (code & 0xff) {
    case SQLITE_OK:
      return SqliteStatus::kOk;
    case SQLITE_ROW:
      return SqliteStatus::kRow;
    case SQLITE_DONE:
      return SqliteStatus::kDone;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return SqliteStatus::kBusy;
    case SQLITE_CONSTRAINT:
      return SqliteStatus::kConstraint;
    case SQLITE_FULL:
      return SqliteStatus::kFull;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
      return SqliteStatus::kCannotOpen;
    case SQLITE_NOTADB:
      return SqliteStatus::kNotDatabase;
    case SQLITE_CORRUPT:
    case SQLITE_SCHEMA:
      return SqliteStatus::kCorrupt;
    case SQLITE_NOMEM:
      return SqliteStatus::kNoMemory;
    default:
      return SqliteStatus::kOther;
  }
}

}  // namespace

void SqliteStatement::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

void SqliteStatement::bind_number(int at, std::int64_t value) {
  MUST(at >= 1 && at <= sqlite3_bind_parameter_count(statement_.get()), "a bound parameter exists");
  sqlite3_bind_int64(statement_.get(), at, value);
}

void SqliteStatement::bind_text(int at, std::string_view text) {
  MUST(at >= 1 && at <= sqlite3_bind_parameter_count(statement_.get()), "a bound parameter exists");
  sqlite3_bind_text(statement_.get(), at, text.empty() ? "" : text.data(), static_cast<int>(text.size()),
                    SQLITE_STATIC);
}

void SqliteStatement::bind_bytes(int at, std::string_view bytes) {
  MUST(at >= 1 && at <= sqlite3_bind_parameter_count(statement_.get()), "a bound parameter exists");
  // A null pointer would bind NULL.
  sqlite3_bind_blob(statement_.get(), at, bytes.empty() ? "" : bytes.data(), static_cast<int>(bytes.size()),
                    SQLITE_STATIC);
}

SqliteStatus SqliteStatement::step() {
  MUST(statement_ != nullptr, "only a prepared statement is stepped");
  return status_of(sqlite3_step(statement_.get()));
}

void SqliteStatement::reset() { sqlite3_reset(statement_.get()); }

void SqliteStatement::clear_bindings() { sqlite3_clear_bindings(statement_.get()); }

int SqliteStatement::column_count() const { return sqlite3_column_count(statement_.get()); }

bool SqliteStatement::is_number(int column) const {
  const int type = sqlite3_column_type(statement_.get(), column);
  return type == SQLITE_INTEGER || type == SQLITE_NULL;
}

std::int64_t SqliteStatement::number(int column) const {
  MUST(column >= 0 && column < column_count(), "a column that is read exists");
  return sqlite3_column_int64(statement_.get(), column);
}

std::string_view SqliteStatement::bytes(int column) const {
  MUST(column >= 0 && column < column_count(), "a column that is read exists");
  const auto* first = static_cast<const char*>(sqlite3_column_blob(statement_.get(), column));
  if (first == nullptr) return {};
  return {first, static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

// With a wrong order of members, a statement may outlive its database: sqlite3_close_v2 waits for it.
void SqliteDatabase::Close::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

SqliteStatus SqliteDatabase::open(const std::string& path, Mode mode,
                                  std::chrono::milliseconds busy_timeout) {
  const int flags =
      (mode == Mode::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) |
      SQLITE_OPEN_NOMUTEX;
  sqlite3* raw = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &raw, flags, nullptr);
  database_.reset(raw);  // even after a failure: it holds the error message
  if (raw != nullptr) sqlite3_busy_timeout(raw, static_cast<int>(busy_timeout.count()));
  return status_of(code);
}

SqliteStatus SqliteDatabase::run(const char* sql) {
  return status_of(sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr));
}

SqliteStatement SqliteDatabase::prepare(std::string_view sql, bool reused) {
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v3(database_.get(), sql.data(), static_cast<int>(sql.size()),
                     reused ? SQLITE_PREPARE_PERSISTENT : 0, &statement, nullptr);
  return SqliteStatement(statement);
}

SqliteStatus SqliteDatabase::status() const {
  return database_ == nullptr ? SqliteStatus::kNoMemory : status_of(sqlite3_errcode(database_.get()));
}

std::string SqliteDatabase::message() const {
  return database_ == nullptr ? "no memory" : sqlite3_errmsg(database_.get());
}

std::uint64_t SqliteDatabase::changed_rows() const {
  return static_cast<std::uint64_t>(sqlite3_changes64(database_.get()));
}

bool SqliteDatabase::in_transaction() const { return sqlite3_get_autocommit(database_.get()) == 0; }

}  // namespace weir
