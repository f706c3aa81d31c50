#include <fmt/format.h>
#include <sqlite3.h>

#include <tuple>
#include <unordered_map>

#include "aggregator/store/sql_connection.h"

namespace weir {
namespace {

class SqliteConnection : public SqlConnection {
 public:
  SqliteConnection(std::string path, bool read_only) : path_(std::move(path)), read_only_(read_only) {}
  ~SqliteConnection() override { close(); }

  [[nodiscard]] Result<void> connect() override {
    close();
    const int flags = (read_only_ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) |
                      SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path_.c_str(), &database_, flags, nullptr) != SQLITE_OK) return error();
    sqlite3_busy_timeout(database_, 10'000);
    if (read_only_) {
      // SQLite opens lazily: read now, so that a file that is not a database is reported at once.
      if (auto looked = query("SELECT COUNT(*) FROM sqlite_master", {}); !looked)
        return std::unexpected(looked.error());
      return {};
    }
    // FULL: a commit that returned survives a power loss.
    for (const char* pragma : {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL"}) {
      if (auto set = query(pragma, {}); !set) return std::unexpected(set.error());
    }
    return {};
  }

  [[nodiscard]] Result<void> each_row(std::string_view sql, const std::vector<SqlValue>& parameters,
                                      const OnRow& on_row) override {
    // When BEGIN found the file busy there is no transaction; when the disk is full SQLite has rolled back.
    if (sql == "ROLLBACK" && database_ != nullptr && sqlite3_get_autocommit(database_) != 0) return {};
    auto found = statements_.find(sql);
    if (found == statements_.end()) found = statements_.emplace(std::string(sql), nullptr).first;
    auto& statement = found->second;
    if (statement == nullptr &&
        sqlite3_prepare_v3(database_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                           &statement, nullptr) != SQLITE_OK) {
      return error();
    }
    for (int i = 0; i < static_cast<int>(parameters.size()); ++i) {
      const auto& value = parameters[static_cast<std::size_t>(i)];
      if (const auto* bytes = std::get_if<std::string>(&value)) {
        // As a BLOB any bytes are compared and returned unchanged.
        sqlite3_bind_blob(statement, i + 1, bytes->empty() ? "" : bytes->data(),
                          static_cast<int>(bytes->size()), SQLITE_STATIC);
      } else {
        sqlite3_bind_int64(statement, i + 1, std::get<std::int64_t>(value));
      }
    }
    int step = 0;
    Result<void> taken;
    while (taken && (step = sqlite3_step(statement)) == SQLITE_ROW) {
      row_.resize(static_cast<std::size_t>(sqlite3_column_count(statement)));
      for (int column = 0; column < static_cast<int>(row_.size()); ++column) read_column(statement, column);
      taken = on_row(row_);
    }
    if (!taken) {
      sqlite3_reset(statement);
      return taken;
    }
    if (step != SQLITE_DONE) {
      auto failed = error();
      sqlite3_reset(statement);
      return failed;
    }
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
    affected_ = static_cast<std::uint64_t>(sqlite3_changes64(database_));
    return {};
  }

  [[nodiscard]] std::uint64_t affected_rows() const override { return affected_; }
  [[nodiscard]] bool connected() const override { return database_ != nullptr; }
  [[nodiscard]] std::string_view begin_sql() const override { return "BEGIN IMMEDIATE"; }
  [[nodiscard]] std::string_view column_type(ColumnType type) const override {
    return type == ColumnType::kNumber ? "INTEGER" : "BLOB";
  }
  [[nodiscard]] std::string_view column_exists_sql() const override {
    return "SELECT COUNT(*) FROM pragma_table_info(CAST(? AS TEXT)) WHERE name = CAST(? AS TEXT)";
  }
  [[nodiscard]] std::string_view clustered_sql() const override { return " WITHOUT ROWID"; }
  [[nodiscard]] std::size_t rows_per_statement() const override { return 1; }
  [[nodiscard]] Result<void> lock_schema() override {
    auto begun = query(begin_sql(), {});
    if (!begun) return std::unexpected(begun.error());
    return {};
  }
  [[nodiscard]] Result<void> unlock_schema() override {
    auto done = query("COMMIT", {});
    if (done) return {};
    std::ignore = query("ROLLBACK", {});
    return std::unexpected(done.error());
  }

 private:
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };

  // Into row_, whose strings keep their memory from row to row.
  void read_column(sqlite3_stmt* statement, int column) {
    auto& value = row_[static_cast<std::size_t>(column)];
    const auto type = sqlite3_column_type(statement, column);
    if (type == SQLITE_INTEGER || type == SQLITE_NULL) {
      value = static_cast<std::int64_t>(sqlite3_column_int64(statement, column));
      return;
    }
    const auto* bytes = static_cast<const char*>(sqlite3_column_blob(statement, column));
    if (!std::holds_alternative<std::string>(value)) value.emplace<std::string>();
    std::get<std::string>(value).assign(bytes == nullptr ? "" : bytes,
                                        static_cast<std::size_t>(sqlite3_column_bytes(statement, column)));
  }

  void close() {
    for (auto& [sql, statement] : statements_) sqlite3_finalize(statement);
    statements_.clear();
    sqlite3_close(database_);
    database_ = nullptr;
  }

  [[nodiscard]] std::unexpected<Error> error() const {
    const int code = database_ == nullptr ? SQLITE_NOMEM : sqlite3_errcode(database_);
    const auto what =
        fmt::format("store {}: {}", path_, database_ == nullptr ? "no memory" : sqlite3_errmsg(database_));
    switch (code & 0xff) {
      case SQLITE_BUSY:
      case SQLITE_LOCKED:
        return fail(Code::kFull, what, "another program holds it; it is tried again");
      case SQLITE_CONSTRAINT:
        return fail(Code::kFenced, what, "another program has written this row first");
      case SQLITE_FULL:
        return fail(Code::kIo, what,
                    "free some space on its disk; nothing is lost, the commit is tried again");
      case SQLITE_CANTOPEN:
      case SQLITE_PERM:
      case SQLITE_READONLY:
        return fail(Code::kInvalid, what, "check the path and the rights of the folder");
      case SQLITE_NOTADB:
        return fail(Code::kInvalid, what, "name another file: this one is not a weir store");
      default:
        return fail(Code::kIo, what, "check the disk");
    }
  }

  std::string path_;
  bool read_only_;
  sqlite3* database_ = nullptr;
  std::unordered_map<std::string, sqlite3_stmt*, TextHash, std::equal_to<>> statements_;
  SqlRow row_;
  std::uint64_t affected_ = 0;
};

}  // namespace

Result<std::unique_ptr<SqlConnection>> connect_sqlite(const std::string& path, bool read_only) {
  auto connection = std::make_unique<SqliteConnection>(path, read_only);
  if (auto connected = connection->connect(); !connected) return std::unexpected(connected.error());
  return connection;
}

Result<std::unique_ptr<Store>> open_sqlite(const std::string& path) {
  auto connection = connect_sqlite(path, false);
  if (!connection) return std::unexpected(connection.error());
  return make_sql_store(std::move(*connection));
}

Result<std::unique_ptr<Store>> open_sqlite_readonly(const std::string& path) {
  auto connection = connect_sqlite(path, true);
  if (!connection) return std::unexpected(connection.error());
  return make_sql_store(std::move(*connection));
}

}  // namespace weir
