// One connection to MySQL or MariaDB, over prepared statements of libmariadb.
#include <errmsg.h>
#include <fmt/format.h>
#include <mysql.h>
#include <mysqld_error.h>

#include <array>
#include <tuple>
#include <unordered_map>

#include "aggregator/store/sql_connection.h"

namespace weir {
namespace {

constexpr unsigned kConnectTimeoutSeconds = 5;
constexpr unsigned kAnswerTimeoutSeconds = 30;
constexpr unsigned long kFirstBufferBytes = 256;

using Statement = std::unique_ptr<MYSQL_STMT, decltype(&mysql_stmt_close)>;

class MysqlConnection : public SqlConnection {
 public:
  explicit MysqlConnection(MysqlConfig config) : config_(std::move(config)) {}
  ~MysqlConnection() override { close(); }

  [[nodiscard]] Result<void> connect() override {
    close();
    mysql_ = mysql_init(nullptr);
    if (mysql_ == nullptr) return fail(Code::kIo, "store: no memory");
    mysql_options(mysql_, MYSQL_OPT_CONNECT_TIMEOUT, &kConnectTimeoutSeconds);
    mysql_options(mysql_, MYSQL_OPT_READ_TIMEOUT, &kAnswerTimeoutSeconds);
    mysql_options(mysql_, MYSQL_OPT_WRITE_TIMEOUT, &kAnswerTimeoutSeconds);
    mysql_options(mysql_, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    if (!config_.tls_ca.empty()) {
      const my_bool yes = 1;
      mysql_ssl_set(mysql_, nullptr, nullptr, config_.tls_ca.c_str(), nullptr, nullptr);
      mysql_options(mysql_, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &yes);
    }
    // FOUND_ROWS: a row that matches counts as affected even if nothing in it changes. The client ignores the
    // socket when an address is given.
    const char* host = config_.socket.empty() ? config_.host.c_str() : nullptr;
    if (mysql_real_connect(mysql_, host, config_.user.c_str(), config_.password.c_str(),
                           config_.database.c_str(), config_.port,
                           config_.socket.empty() ? nullptr : config_.socket.c_str(),
                           CLIENT_FOUND_ROWS) == nullptr) {
      auto failed = error(mysql_errno(mysql_), mysql_error(mysql_));
      close();
      return failed;
    }
    if (auto mode = query(
            "SET SESSION sql_mode='STRICT_ALL_TABLES', SESSION transaction_isolation='READ-COMMITTED'", {});
        !mode) {
      // MariaDB before 11.1 calls it tx_isolation.
      if (auto older =
              query("SET SESSION sql_mode='STRICT_ALL_TABLES', SESSION tx_isolation='READ-COMMITTED'", {});
          !older)
        return std::unexpected(older.error());
    }
    // A client that freezes inside a transaction (a paused virtual machine, a pulled cable) keeps its locks
    // until the server drops it. With this limit, a client that waits for those locks fails with the reason,
    // before its own time-out for answers.
    std::ignore = query("SET SESSION innodb_lock_wait_timeout = 10", {});
    // MySQL has no time-out for transactions only, so idle connections are closed there, too.
    if (!query("SET SESSION idle_transaction_timeout = 15", {}))
      std::ignore = query("SET SESSION wait_timeout = 30", {});
    return {};
  }

  [[nodiscard]] Result<void> each_row(std::string_view sql, const std::vector<SqlValue>& parameters,
                                      const OnRow& on_row) override {
    if (mysql_ == nullptr) return fail(Code::kUnavailable, "store: not connected");
    auto found = statements_.find(std::string(sql));
    if (found == statements_.end()) {
      Statement made(mysql_stmt_init(mysql_), &mysql_stmt_close);
      if (!made) return fail(Code::kIo, "store: no memory");
      if (mysql_stmt_prepare(made.get(), sql.data(), sql.size()) != 0)
        return lost(error(mysql_stmt_errno(made.get()), mysql_stmt_error(made.get())));
      found = statements_.emplace(std::string(sql), std::move(made)).first;
    }
    auto* statement = found->second.get();
    if (mysql_stmt_param_count(statement) != parameters.size())
      return fail(Code::kInvalid, fmt::format("store: wrong number of parameters for: {}", sql));
    std::vector<MYSQL_BIND> binds(parameters.size());
    std::vector<long long> numbers(parameters.size());
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      if (const auto* bytes = std::get_if<std::string>(&parameters[i])) {
        binds[i].buffer_type = MYSQL_TYPE_BLOB;
        binds[i].buffer = const_cast<char*>(bytes->data());
        binds[i].buffer_length = bytes->size();
      } else {
        numbers[i] = std::get<std::int64_t>(parameters[i]);
        binds[i].buffer_type = MYSQL_TYPE_LONGLONG;
        binds[i].buffer = &numbers[i];
      }
    }
    if ((!binds.empty() && mysql_stmt_bind_param(statement, binds.data()) != 0) ||
        mysql_stmt_execute(statement) != 0) {
      return lost(error(mysql_stmt_errno(statement), mysql_stmt_error(statement)));
    }
    affected_ = mysql_stmt_affected_rows(statement);
    return read_rows(statement, on_row);
  }

  [[nodiscard]] std::uint64_t affected_rows() const override { return affected_; }
  [[nodiscard]] bool connected() const override { return mysql_ != nullptr; }
  [[nodiscard]] std::string_view begin_sql() const override { return "START TRANSACTION"; }
  [[nodiscard]] std::string_view column_type(ColumnType type) const override {
    switch (type) {
      case ColumnType::kNumber:
        return "BIGINT";
      case ColumnType::kKey:
        return "VARBINARY(255)";
      case ColumnType::kText:
        break;
    }
    return "MEDIUMBLOB";
  }
  [[nodiscard]] std::string_view column_exists_sql() const override {
    return "SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() AND "
           "table_name = ? AND column_name = ?";
  }
  [[nodiscard]] std::string_view clustered_sql() const override { return ""; }  // InnoDB always does
  [[nodiscard]] std::size_t rows_per_statement() const override { return 50; }
  [[nodiscard]] Result<void> lock_schema() override {
    auto locked = query("SELECT GET_LOCK('weir_schema', 30)", {});
    if (!locked) return std::unexpected(locked.error());
    if (locked->empty() || number(locked->front().front()) != 1)
      return fail(Code::kUnavailable, "store: another program is changing the schema", "it is tried again");
    return {};
  }
  // Closing the connection releases the lock, too.
  [[nodiscard]] Result<void> unlock_schema() override {
    if (auto released = query("SELECT RELEASE_LOCK('weir_schema')", {}); !released) close();
    return {};  // each statement committed itself
  }

 private:
  void close() {
    statements_.clear();
    if (mysql_ != nullptr) mysql_close(mysql_);
    mysql_ = nullptr;
  }

  Result<void> read_rows(MYSQL_STMT* statement, const OnRow& on_row) {
    const auto columns = mysql_stmt_field_count(statement);
    if (columns == 0) return {};
    std::unique_ptr<MYSQL_RES, decltype(&mysql_free_result)> meta(mysql_stmt_result_metadata(statement),
                                                                  &mysql_free_result);
    std::vector<MYSQL_BIND> binds(columns);
    std::vector<std::string> buffers(columns);
    std::vector<long long> numbers(columns);
    std::vector<unsigned long> lengths(columns);
    std::vector<my_bool> nulls(columns);
    for (unsigned i = 0; i < columns; ++i) {
      const auto type = mysql_fetch_field_direct(meta.get(), i)->type;
      binds[i].length = &lengths[i];
      binds[i].is_null = &nulls[i];
      if (IS_NUM(type)) {
        binds[i].buffer_type = MYSQL_TYPE_LONGLONG;
        binds[i].buffer = &numbers[i];
      } else {
        buffers[i].resize(kFirstBufferBytes);
        binds[i].buffer_type = MYSQL_TYPE_BLOB;
        binds[i].buffer = buffers[i].data();
        binds[i].buffer_length = buffers[i].size();
      }
    }
    if (mysql_stmt_bind_result(statement, binds.data()) != 0)
      return lost(error(mysql_stmt_errno(statement), mysql_stmt_error(statement)));
    int status = 0;
    SqlRow row;
    while ((status = mysql_stmt_fetch(statement)) == 0 || status == MYSQL_DATA_TRUNCATED) {
      row.clear();
      for (unsigned i = 0; i < columns; ++i) {
        if (binds[i].buffer_type == MYSQL_TYPE_LONGLONG) {
          row.emplace_back(static_cast<std::int64_t>(nulls[i] != 0 ? 0 : numbers[i]));
          continue;
        }
        std::string value(nulls[i] != 0 ? 0 : lengths[i], '\0');
        if (value.size() <= buffers[i].size()) {
          value.assign(buffers[i].data(), value.size());
        } else {
          MYSQL_BIND again{};
          again.buffer_type = MYSQL_TYPE_BLOB;
          again.buffer = value.data();
          again.buffer_length = value.size();
          if (mysql_stmt_fetch_column(statement, &again, i, 0) != 0)
            return lost(error(mysql_stmt_errno(statement), mysql_stmt_error(statement)));
        }
        row.emplace_back(std::move(value));
      }
      if (auto taken = on_row(row); !taken) {
        mysql_stmt_free_result(statement);
        return taken;
      }
    }
    if (status == 1) return lost(error(mysql_stmt_errno(statement), mysql_stmt_error(statement)));
    mysql_stmt_free_result(statement);
    return {};
  }

  std::unexpected<Error> lost(std::unexpected<Error> failed) {
    if (failed.error().code == Code::kUnavailable) close();
    return failed;
  }

  [[nodiscard]] std::unexpected<Error> error(unsigned number, const char* message) const {
    const auto where =
        config_.socket.empty() ? fmt::format("{}:{}", config_.host, config_.port) : config_.socket;
    const auto what = fmt::format("store mysql {} at {}: {}", config_.database, where, message);
    switch (number) {
      case ER_LOCK_DEADLOCK:
      case ER_LOCK_WAIT_TIMEOUT:
        return fail(Code::kFull, what, "it is tried again");
      case ER_DUP_ENTRY:
        return fail(Code::kFenced, what, "another aggregator has written this row first");
      case ER_ACCESS_DENIED_ERROR:
      case ER_DBACCESS_DENIED_ERROR:
      case ER_TABLEACCESS_DENIED_ERROR:
        return fail(Code::kInvalid, what, "check user, password and the user's rights on the database");
      case ER_BAD_DB_ERROR:
        return fail(
            Code::kInvalid, what,
            fmt::format("CREATE DATABASE {}, and grant all on it to {}", config_.database, config_.user));
      case ER_DISK_FULL:
      case ER_RECORD_FILE_FULL:
        return fail(Code::kIo, what,
                    "free some space on its disk; nothing is lost, the commit is tried again");
      case ER_SERVER_SHUTDOWN:
      case ER_OPTION_PREVENTS_STATEMENT:  // read only: a fail-over is in progress
      case ER_READ_ONLY_MODE:
      case ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION:
        return fail(Code::kUnavailable, what, "it is tried again");
      default:
        if (number >= CR_MIN_ERROR && number <= CR_MAX_ERROR)
          return fail(Code::kUnavailable, what,
                      "check that the server runs and is reachable; it is tried again");
        return fail(Code::kIo, fmt::format("{} (error {})", what, number), "see the server's error log");
    }
  }

  MysqlConfig config_;
  MYSQL* mysql_ = nullptr;
  std::unordered_map<std::string, Statement> statements_;
  std::uint64_t affected_ = 0;
};

}  // namespace

Result<std::unique_ptr<SqlConnection>> connect_mysql(const MysqlConfig& config) {
  auto connection = std::make_unique<MysqlConnection>(config);
  if (auto connected = connection->connect(); !connected) return std::unexpected(connected.error());
  return connection;
}

Result<std::unique_ptr<Store>> open_mysql(const MysqlConfig& config) {
  auto connection = connect_mysql(config);
  if (!connection) return std::unexpected(connection.error());
  return make_sql_store(std::move(*connection));
}

}  // namespace weir
