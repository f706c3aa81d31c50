// A migration may stop after any statement, because MySQL commits each of them by itself. So each step checks
// whether it was already done, and the version is written last.
#include "aggregator/store/sql_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "aggregator/store/sql_row.h"
#include "aggregator/store/sql_text.h"
#include "aggregator/store/states.h"
#include "aggregator/store/store.h"

namespace weir {
namespace {

constexpr std::string_view kVersion = "schema_version";
// Counters of ids that were assigned.
constexpr std::string_view kCounters[] = {"last_mail_id", "last_event_id"};

Result<void> run(SqlConnection& db, std::string_view sql, const std::vector<SqlValue>& parameters = {}) {
  auto rows = db.query(sql, parameters);
  if (!rows) return std::unexpected(rows.error());
  return {};
}

Result<bool> has_column(SqlConnection& db, std::string_view table, std::string_view column) {
  auto rows = db.query(db.column_exists_sql(), {std::string(table), std::string(column)});
  if (!rows) return std::unexpected(rows.error());
  return !rows->empty() && number(rows->front().front()) > 0;
}

Result<void> add_number(SqlConnection& db, std::string_view table, std::string_view column) {
  const auto has = has_column(db, table, column);
  if (!has) return std::unexpected(has.error());
  if (*has) return {};
  return run(db, fmt::format("ALTER TABLE {} ADD COLUMN {} {} NOT NULL DEFAULT 0", table, column,
                             db.column_type(ColumnType::kNumber)));
}

Result<void> create_tables(SqlConnection& db) {
  for (const Table* table : tables::kAll) {
    if (auto made = run(db, create_sql(*table, db)); !made) return made;
  }
  return {};
}

// nullopt: not written yet.
Result<std::optional<std::int64_t>> version_of(SqlConnection& db) {
  auto rows = db.query("SELECT value FROM meta WHERE name = ?", {std::string(kVersion)});
  if (!rows) return std::unexpected(rows.error());
  if (rows->empty()) return std::nullopt;
  return number(rows->front().front());
}

// Version 2 adds versions of sources, and the cause and the time of each gap.
Result<void> migrate_from_1(SqlConnection& db) {
  for (const auto& [table, column] : {std::pair{"source", "version"},
                                      {"source", "too_long"},
                                      {"source_gap", "cause"},
                                      {"source_gap", "since_ms"}}) {
    if (auto added = add_number(db, table, column); !added) return added;
  }
  // Version 0 means that the row does not exist.
  if (auto set = run(db, "UPDATE source SET version = 1 WHERE version = 0"); !set) return set;
  return run(db,
             "UPDATE source_gap SET since_ms = (SELECT last_seen_ms FROM source WHERE id = source_id) "
             "WHERE since_ms = 0 AND source_id IN (SELECT id FROM source)");
}

// Version 2 told the kinds apart by the first words of the reason.
Result<void> set_kinds(SqlConnection& db) {
  if (auto added = add_number(db, tables::kDeadLetter.name, "kind"); !added) return added;
  for (const auto& [begin, kind] : {std::pair{"messages [", DeadLetterKind::kMessagesGone},
                                    {"offset ", DeadLetterKind::kOffsetGone},
                                    {"the batch says [", DeadLetterKind::kRefused},
                                    {"the source has ", DeadLetterKind::kRefused},
                                    {"windows of ", DeadLetterKind::kRefused}}) {
    const std::string text(begin);
    if (auto set = run(
            db, fmt::format("UPDATE dead_letter SET kind = ? WHERE SUBSTR(reason, 1, {}) = ?", text.size()),
            {as_number(kind), text});
        !set)
      return set;
  }
  return {};
}

// Version 2 had mails only, with a column for each part. Its table is renamed, and its mails become letters
// in the new table.
Result<void> put_old_mails_aside(SqlConnection& db) {
  const auto old = has_column(db, tables::kOutbox.name, "mail_to");
  if (!old) return std::unexpected(old.error());
  return *old ? run(db, "ALTER TABLE outbox RENAME TO outbox_2") : Result<void>{};
}

Result<void> take_over_old_mails(SqlConnection& db) {
  const auto old = has_column(db, "outbox_2", "mail_to");
  if (!old) return std::unexpected(old.error());
  if (!*old) return {};
  auto rows = db.query(
      "SELECT id, mail_to, subject, body, created_ms, next_try_ms, attempts, last_error FROM outbox_2");
  if (!rows) return std::unexpected(rows.error());
  for (const auto& row : *rows) {
    std::int64_t id = 0, created_ms = 0, next_try_ms = 0, attempts = 0;
    std::string to, subject, body, last_error;
    RowReader in(row);
    in >> id >> to >> subject >> body >> created_ms >> next_try_ms >> attempts >> last_error;
    if (auto read = in.end(); !read) return read;
    // A mail's payload: the subject on one line, then the text.
    std::replace(subject.begin(), subject.end(), '\n', ' ');
    RowWriter letter(tables::kOutbox);
    letter << id << "mail" << to << subject + "\n" + body << created_ms << next_try_ms << attempts
           << last_error;
    // REPLACE: an earlier attempt may have reached this point.
    if (auto put = run(db, replace_sql(tables::kOutbox), letter.take()); !put) return put;
  }
  return run(db, "DROP TABLE outbox_2");
}

// Version 2 searched all windows for hosts. The migration does so once.
Result<void> list_hosts(SqlConnection& db) {
  return run(db,
             "INSERT INTO host (name) SELECT DISTINCT host FROM window_traffic "
             "WHERE host NOT IN (SELECT name FROM host)");
}

// Version 3 adds kinds of dead letters, channels in the outbox, the history of alerts, a list of hosts, and
// leases. Version 2 had one lease, stored as an alert without a rule.
Result<void> migrate_from_2(SqlConnection& db) {
  if (auto set = set_kinds(db); !set) return set;
  if (auto taken = take_over_old_mails(db); !taken) return taken;
  if (auto listed = list_hosts(db); !listed) return listed;
  return run(db, "DELETE FROM alert WHERE rule_name = ?", {std::string()});
}

Result<void> write_meta(SqlConnection& db) {
  for (const auto counter : kCounters) {
    const auto known = db.query("SELECT value FROM meta WHERE name = ?", {std::string(counter)});
    if (!known) return std::unexpected(known.error());
    if (!known->empty()) continue;
    if (auto made = run(db, insert_sql(tables::kMeta), {std::string(counter), std::int64_t{0}}); !made)
      return made;
  }
  return run(db, replace_sql(tables::kMeta), {std::string(kVersion), std::int64_t{kSchemaVersion}});
}

Result<void> migrate_locked(SqlConnection& db) {
  if (auto made = run(db, create_sql(tables::kMeta, db)); !made) return made;
  const auto version = version_of(db);
  if (!version) return std::unexpected(version.error());
  if (*version > kSchemaVersion) {
    return fail(Code::kInvalid,
                fmt::format("store: schema version {} is newer than this program knows ({})", **version,
                            kSchemaVersion),
                "install the newer weir-aggregator; an older one would count wrongly");
  }
  // Tables without a version may belong to an older program that stopped before it wrote one.
  const bool current = *version == kSchemaVersion;
  if (!current) {
    if (auto aside = put_old_mails_aside(db); !aside) return aside;
  }
  if (auto made = create_tables(db); !made) return made;
  if (current) return {};
  if (auto migrated = migrate_from_1(db); !migrated) return migrated;
  if (auto migrated = migrate_from_2(db); !migrated) return migrated;
  return write_meta(db);
}

}  // namespace

Result<void> migrate_schema(SqlConnection& db) {
  if (auto locked = db.lock_schema(); !locked) return locked;
  auto done = migrate_locked(db);
  auto unlocked = db.unlock_schema();
  return done ? unlocked : done;
}

}  // namespace weir
