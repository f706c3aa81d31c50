// A connection with what every role of the store needs: reconnecting, and transactions that are
// tried again when the database rolls them back.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "aggregator/store/sql_connection.h"
#include "proto/result.h"

namespace weir {

inline constexpr int kMaxAttempts = 10;  // of a transaction that a deadlock or a busy file rolled back

class SqlSession {
 public:
  using Rows = Result<std::vector<SqlRow>>;

  SqlSession(std::unique_ptr<SqlConnection> connection, RetryPause pause)
      : db_(std::move(connection)), pause_(std::move(pause)) {}

  [[nodiscard]] SqlConnection& db() { return *db_; }
  // Connects if need be.
  [[nodiscard]] Result<void> ready();
  // Outside of transactions.
  [[nodiscard]] Rows ask(std::string_view sql, const std::vector<SqlValue>& parameters = {});
  // One statement whose rows do not matter.
  [[nodiscard]] Result<void> run(std::string_view sql, const std::vector<SqlValue>& parameters = {});
  // Begins, calls `body`, commits; from the start again when the database rolled it back, after a pause.
  // `commit_unknown` becomes true when the answer to COMMIT was lost.
  [[nodiscard]] Result<void> transaction(const std::function<Result<void>()>& body,
                                         bool* commit_unknown = nullptr);
  // Before attempt number `attempt` + 1.
  void pause_after(int attempt) { pause_(std::chrono::milliseconds(attempt * 5)); }

 private:
  [[nodiscard]] Result<void> attempts(const std::function<Result<void>()>& body, bool* commit_unknown);

  std::unique_ptr<SqlConnection> db_;
  RetryPause pause_;
  bool in_transaction_ = false;
  bool doubtful_ = false;  // a transaction may still be open on the connection: it must be made anew
};

}  // namespace weir
