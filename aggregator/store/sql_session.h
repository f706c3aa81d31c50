// A connection with what every role of the store needs: reconnecting, and retrying transactions that the
// database rolls back.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "aggregator/store/sql_connection.h"
#include "proto/result.h"

namespace weir {

inline constexpr int kMaxAttempts = 10;  // for one transaction that deadlocks or finds the file busy

class SqlSession {
 public:
  using Rows = Result<std::vector<SqlRow>>;

  SqlSession(std::unique_ptr<SqlConnection> connection, RetryPause pause)
      : db_(std::move(connection)), pause_(std::move(pause)) {}

  [[nodiscard]] SqlConnection& db() { return *db_; }
  // Connects if necessary.
  [[nodiscard]] Result<void> ready();
  // Outside transactions.
  [[nodiscard]] Rows ask(std::string_view sql, const std::vector<SqlValue>& parameters = {});
  // One statement whose rows are ignored.
  [[nodiscard]] Result<void> run(std::string_view sql, const std::vector<SqlValue>& parameters = {});
  // Begins, calls `body`, commits. If the database rolls back, pauses and starts again from the beginning.
  // `commit_unknown` becomes true when the answer to COMMIT was lost.
  [[nodiscard]] Result<void> transaction(const std::function<Result<void>()>& body,
                                         bool* commit_unknown = nullptr);
  // Called before attempt number `attempt` + 1.
  void pause_after(int attempt) { pause_(std::chrono::milliseconds(attempt * 5)); }

 private:
  [[nodiscard]] Result<void> attempts(const std::function<Result<void>()>& body, bool* commit_unknown);

  std::unique_ptr<SqlConnection> db_;
  RetryPause pause_;
  bool in_transaction_ = false;
  bool doubtful_ = false;  // a transaction may still be open on the connection: reconnect
};

}  // namespace weir
