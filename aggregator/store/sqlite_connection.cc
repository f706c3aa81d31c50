// One connection to an SQLite file, over the wrapper in common/sqlite.h.
#include <fmt/format.h>

#include <chrono>
#include <tuple>
#include <unordered_map>

#include "aggregator/store/sql_connection.h"
#include "common/sqlite.h"

namespace weir {
namespace {

class SqliteConnection : public SqlConnection {
 public:
  SqliteConnection(std::string path, bool read_only) : path_(std::move(path)), read_only_(read_only) {}

  [[nodiscard]] Result<void> connect() override {
    close();
    const auto mode = read_only_ ? SqliteDatabase::Mode::kReadOnly : SqliteDatabase::Mode::kReadWrite;
    if (database_.open(path_, mode, std::chrono::seconds(10)) != SqliteStatus::kOk) return error();
    if (read_only_) {
      // SQLite opens lazily. Read now, so that a file that is not a database is reported at once.
      if (auto looked = query("SELECT COUNT(*) FROM sqlite_master", {}); !looked)
        return std::unexpected(looked.error());
      return {};
    }
    // FULL: a commit that has returned survives a power loss.
    for (const char* pragma : {"PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL"}) {
      if (auto set = query(pragma, {}); !set) return std::unexpected(set.error());
    }
    return {};
  }

  [[nodiscard]] Result<void> each_row(std::string_view sql, const std::vector<SqlValue>& parameters,
                                      const OnRow& on_row) override {
    // If BEGIN found the file busy, no transaction is open; if the disk is full, SQLite has already rolled
    // back.
    if (sql == "ROLLBACK" && database_.is_open() && !database_.in_transaction()) return {};
    auto found = statements_.find(sql);
    if (found == statements_.end()) found = statements_.try_emplace(std::string(sql)).first;
    auto& statement = found->second;
    if (!statement) statement = database_.prepare(sql, true);
    if (!statement) return error();
    bind(statement, parameters);
    auto step = SqliteStatus::kOk;
    Result<void> taken;
    while (taken && (step = statement.step()) == SqliteStatus::kRow) {
      row_.resize(static_cast<std::size_t>(statement.column_count()));
      for (int column = 0; column < static_cast<int>(row_.size()); ++column) read_column(statement, column);
      taken = on_row(row_);
    }
    if (taken && step != SqliteStatus::kDone) taken = error();
    statement.reset();
    if (!taken) return taken;
    statement.clear_bindings();
    affected_ = database_.changed_rows();
    return {};
  }

  [[nodiscard]] std::uint64_t affected_rows() const override { return affected_; }
  [[nodiscard]] bool connected() const override { return database_.is_open(); }
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

  static void bind(SqliteStatement& statement, const std::vector<SqlValue>& parameters) {
    for (int i = 0; i < static_cast<int>(parameters.size()); ++i) {
      const auto& value = parameters[static_cast<std::size_t>(i)];
      if (const auto* bytes = std::get_if<std::string>(&value)) {
        // BLOB, so that arbitrary bytes compare exactly and are returned unchanged.
        statement.bind_bytes(i + 1, *bytes);
      } else {
        statement.bind_number(i + 1, std::get<std::int64_t>(value));
      }
    }
  }

  // Reads into row_, whose strings keep their memory from row to row.
  void read_column(const SqliteStatement& statement, int column) {
    auto& value = row_[static_cast<std::size_t>(column)];
    if (statement.is_number(column)) {
      value = statement.number(column);
      return;
    }
    if (!std::holds_alternative<std::string>(value)) value.emplace<std::string>();
    std::get<std::string>(value).assign(statement.bytes(column));
  }

  void close() {
    statements_.clear();
    database_.close();
  }

  [[nodiscard]] std::unexpected<Error> error() const {
    const auto what = fmt::format("store {}: {}", path_, database_.message());
    switch (database_.status()) {
      case SqliteStatus::kBusy:
        return fail(Code::kFull, what, "another program holds it; it is tried again");
      case SqliteStatus::kConstraint:
        return fail(Code::kFenced, what, "another program has written this row first");
      case SqliteStatus::kFull:
        return fail(Code::kIo, what,
                    "free some space on its disk; nothing is lost, the commit is tried again");
      case SqliteStatus::kCannotOpen:
        return fail(Code::kInvalid, what, "check the path and the rights of the folder");
      case SqliteStatus::kNotDatabase:
        return fail(Code::kInvalid, what, "name another file: this one is not a store of weir");
      default:
        return fail(Code::kIo, what, "check the disk");
    }
  }

  std::string path_;
  bool read_only_;
  SqliteDatabase database_;
  std::unordered_map<std::string, SqliteStatement, TextHash, std::equal_to<>> statements_;
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
