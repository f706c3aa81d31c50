#include "aggregator/store/sql_session.h"

#include "proto/must.h"

namespace weir {

Result<void> SqlSession::ready() {
  if (db_->connected() && !doubtful_) return {};
  doubtful_ = false;
  return db_->connect();
}

SqlSession::Rows SqlSession::ask(std::string_view sql, const std::vector<SqlValue>& parameters) {
  MUST(!in_transaction_, "a transaction does not reconnect half-way");
  if (auto connected = ready(); !connected) return std::unexpected(connected.error());
  return db_->query(sql, parameters);
}

Result<void> SqlSession::run(std::string_view sql, const std::vector<SqlValue>& parameters) {
  auto rows = db_->query(sql, parameters);
  if (!rows) return std::unexpected(rows.error());
  return {};
}

Result<void> SqlSession::transaction(const std::function<Result<void>()>& body, bool* commit_unknown) {
  if (auto connected = ready(); !connected) return connected;
  MUST(!in_transaction_, "a transaction does not begin inside another");
  in_transaction_ = true;
  auto done = attempts(body, commit_unknown);
  in_transaction_ = false;
  return done;
}

Result<void> SqlSession::attempts(const std::function<Result<void>()>& body, bool* commit_unknown) {
  for (int attempt = 1;; ++attempt) {
    auto done = run(db_->begin_sql());
    if (!done && attempt == 1 && !db_->connected()) {
      // The server had closed the idle connection. No transaction has begun: try once more on a fresh one.
      if (auto connected = ready(); !connected) return connected;
      done = run(db_->begin_sql());
    }
    bool committing = false;
    if (done) done = body();
    if (done) {
      committing = true;
      done = run("COMMIT");
    }
    if (done) return {};
    if (committing && commit_unknown != nullptr) *commit_unknown = done.error().code == Code::kUnavailable;
    // MySQL's next START TRANSACTION would commit a transaction that is still open.
    if (db_->connected() && !run("ROLLBACK")) doubtful_ = true;
    if (done.error().code != Code::kFull) return done;
    if (attempt == kMaxAttempts || doubtful_ || !db_->connected())
      return fail(Code::kUnavailable, done.error().what, done.error().hint);
    pause_after(attempt);
  }
}

}  // namespace weir
