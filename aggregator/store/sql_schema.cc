#include "aggregator/store/sql_schema.h"

#include <fmt/format.h>

#include <string>
#include <utility>
#include <vector>

namespace weir {
namespace {

Result<void> run(SqlConnection& db, std::string_view sql, const std::vector<SqlValue>& parameters = {}) {
  auto rows = db.query(sql, parameters);
  if (!rows) return std::unexpected(rows.error());
  return {};
}

Result<void> create_tables(SqlConnection& db) {
  const auto n = db.column_type("number");
  const auto k = db.column_type("key");
  const auto t = db.column_type("text");
  const std::vector<std::string> statements = {
      fmt::format("CREATE TABLE IF NOT EXISTS meta(name {0} NOT NULL PRIMARY KEY, value {1} NOT NULL)", k, n),
      fmt::format("CREATE TABLE IF NOT EXISTS partition_state(topic {0} NOT NULL, partition_id {1} NOT NULL, "
                  "owner {0} NOT NULL, epoch {1} NOT NULL, "
                  "next_offset {1} NOT NULL, commit_token {1} NOT NULL, cluster_id {0} NOT NULL, "
                  "leader_epoch {1} NOT NULL, dead_letters {1} NOT NULL, "
                  "PRIMARY KEY(topic, partition_id))",
                  k, n),
      fmt::format("CREATE TABLE IF NOT EXISTS window_traffic(start_s {1} NOT NULL, site {0} NOT NULL, host "
                  "{0} NOT NULL, status {1} NOT NULL, topic {0} NOT NULL, "
                  "partition_id {1} NOT NULL, requests {1} NOT NULL, bytes_sent {1} NOT NULL, flow_bytes {1} "
                  "NOT NULL, request_bytes {1} NOT NULL, "
                  "request_time_ms {1} NOT NULL, upstream_time_ms {1} NOT NULL, latency {2} NOT NULL, "
                  "PRIMARY KEY(start_s, site, host, status, topic, partition_id)){3}",
                  k, n, t, db.clustered_sql()),
      fmt::format("CREATE TABLE IF NOT EXISTS source(id {0} NOT NULL PRIMARY KEY, agent_id {0} NOT NULL, "
                  "instance {1} NOT NULL, host {0} NOT NULL, input {2} NOT NULL, "
                  "path {2} NOT NULL, origin {1} NOT NULL, high_water {1} NOT NULL, line_count {1} NOT NULL, "
                  "unparsed {1} NOT NULL, too_long {1} NOT NULL, filtered {1} NOT NULL, "
                  "first_seen_ms {1} NOT NULL, last_seen_ms {1} NOT NULL, version {1} NOT NULL)",
                  k, n, t),
      fmt::format("CREATE TABLE IF NOT EXISTS source_gap(source_id {0} NOT NULL, begin_offset {1} NOT NULL, "
                  "end_offset {1} NOT NULL, cause {1} NOT NULL, since_ms {1} NOT NULL, PRIMARY "
                  "KEY(source_id, begin_offset))",
                  k, n),
      fmt::format("CREATE TABLE IF NOT EXISTS dead_letter(topic {0} NOT NULL, partition_id {1} NOT NULL, "
                  "message_offset {1} NOT NULL, line {1} NOT NULL, source {0} NOT NULL, "
                  "reason {2} NOT NULL, sample {2} NOT NULL, seen_ms {1} NOT NULL, PRIMARY KEY(topic, "
                  "partition_id, message_offset, line))",
                  k, n, t),
      fmt::format("CREATE TABLE IF NOT EXISTS agent(agent_id {0} NOT NULL PRIMARY KEY, host {0} NOT NULL, "
                  "instance {1} NOT NULL, last_heartbeat_ms {1} NOT NULL, "
                  "watermark_ms {1} NOT NULL, lag_bytes {1} NOT NULL)",
                  k, n),
      fmt::format("CREATE TABLE IF NOT EXISTS site(name {0} NOT NULL PRIMARY KEY)", k),
      fmt::format("CREATE TABLE IF NOT EXISTS alert(rule_name {0} NOT NULL, subject {0} NOT NULL, state {0} "
                  "NOT NULL, since_s {1} NOT NULL, value_text {0} NOT NULL, "
                  "PRIMARY KEY(rule_name, subject))",
                  k, n),
      fmt::format("CREATE TABLE IF NOT EXISTS outbox(id {0} NOT NULL PRIMARY KEY, mail_to {1} NOT NULL, "
                  "subject {1} NOT NULL, body {1} NOT NULL, created_ms {0} NOT NULL, "
                  "next_try_ms {0} NOT NULL, attempts {0} NOT NULL, last_error {1} NOT NULL)",
                  n, t),
  };
  for (const auto& sql : statements) {
    if (auto made = run(db, sql); !made) return made;
  }
  return {};
}

// Each step asks whether it was done: MySQL commits each of them by itself.
Result<void> migrate_from_1(SqlConnection& db) {
  const auto n = db.column_type("number");
  const auto add = [&](std::string_view table, std::string_view column) -> Result<void> {
    if (db.query(fmt::format("SELECT {} FROM {} LIMIT 1", column, table), {})) return {};
    return run(db, fmt::format("ALTER TABLE {} ADD COLUMN {} {} NOT NULL DEFAULT 0", table, column, n));
  };
  for (const auto& [table, column] : {std::pair{"source", "version"},
                                      {"source", "too_long"},
                                      {"source_gap", "cause"},
                                      {"source_gap", "since_ms"}}) {
    if (auto added = add(table, column); !added) return added;
  }
  // A row of version 0 would be taken for one that is not there.
  if (auto set = run(db, "UPDATE source SET version = 1 WHERE version = 0"); !set) return set;
  if (auto set =
          run(db,
              "UPDATE source_gap SET since_ms = (SELECT last_seen_ms FROM source WHERE id = source_id) "
              "WHERE since_ms = 0 AND source_id IN (SELECT id FROM source)");
      !set)
    return set;
  return run(db, "UPDATE meta SET value = 2 WHERE name = ?", {std::string("schema_version")});
}

}  // namespace

Result<void> migrate_schema(SqlConnection& db) {
  if (auto locked = db.lock_schema(); !locked) return locked;
  auto done = create_tables(db);
  if (done) {
    auto version = db.query("SELECT value FROM meta WHERE name = ?", {std::string("schema_version")});
    if (!version) {
      done = std::unexpected(version.error());
    } else if (version->empty()) {
      done = run(db, "INSERT INTO meta(name, value) VALUES (?, ?), (?, ?)",
                 {std::string("schema_version"), std::int64_t{kSchemaVersion}, std::string("last_mail_id"),
                  std::int64_t{0}});
    } else if (number(version->front().front()) < kSchemaVersion) {
      done = migrate_from_1(db);
    } else if (number(version->front().front()) > kSchemaVersion) {
      done = fail(Code::kInvalid,
                  fmt::format("store: schema version {} is newer than this program knows ({})",
                              number(version->front().front()), kSchemaVersion),
                  "install the newer weir-aggregator; an older one would count wrongly");
    }
  }
  db.unlock_schema();
  return done;
}

}  // namespace weir
