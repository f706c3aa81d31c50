#include "agent/tail/registry_database.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>

#include "agent/tail/registry.h"

namespace weir {
namespace {

constexpr std::chrono::milliseconds kBusyTimeout{2000};

constexpr int kRegistryVersion = 4;
constexpr const char* kSchema = R"(
CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS source(id TEXT PRIMARY KEY, path TEXT NOT NULL, input TEXT NOT NULL, device INTEGER NOT NULL,
  inode INTEGER NOT NULL, partition INTEGER NOT NULL, origin INTEGER NOT NULL, acknowledged_offset INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL, tail_hash BLOB NOT NULL, last_acknowledged_ms INTEGER NOT NULL, state TEXT NOT NULL,
  base TEXT NOT NULL DEFAULT '', line_hash BLOB NOT NULL DEFAULT x'', birth_ns INTEGER NOT NULL DEFAULT 0,
  seen_ms INTEGER NOT NULL DEFAULT 0, sent_offset INTEGER NOT NULL DEFAULT 0,
  sent_tail_hash BLOB NOT NULL DEFAULT x'', cuts BLOB NOT NULL DEFAULT x'',
  routes TEXT NOT NULL DEFAULT '') WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS loss(source TEXT NOT NULL, begin_offset INTEGER NOT NULL, end_offset INTEGER NOT NULL,
  cause INTEGER NOT NULL, origin INTEGER NOT NULL, partition INTEGER NOT NULL, path TEXT NOT NULL, input TEXT NOT NULL,
  noticed_ms INTEGER NOT NULL);
)";
// Version 1 had fewer columns and no `loss` table.
constexpr const char* kFromVersion1 = R"(
ALTER TABLE source ADD COLUMN base TEXT NOT NULL DEFAULT '';
ALTER TABLE source ADD COLUMN line_hash BLOB NOT NULL DEFAULT x'';
ALTER TABLE source ADD COLUMN birth_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE source ADD COLUMN seen_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE source ADD COLUMN sent_offset INTEGER NOT NULL DEFAULT 0;
ALTER TABLE source ADD COLUMN sent_tail_hash BLOB NOT NULL DEFAULT x'';
UPDATE source SET base = id, seen_ms = last_acknowledged_ms;
)";
// Version 2 had no support for windows.
constexpr const char* kFromVersion2 = R"(
ALTER TABLE source ADD COLUMN cuts BLOB NOT NULL DEFAULT x'';
UPDATE meta SET value = '3' WHERE name = 'version';
)";
// Version 3 had one acknowledged offset for all routes.
constexpr const char* kFromVersion3 = R"(
ALTER TABLE source ADD COLUMN routes TEXT NOT NULL DEFAULT '';
UPDATE meta SET value = '4' WHERE name = 'version';
)";

constexpr const char* kAskTheDisk =
    "check the disk and its free space; a deleted registry is built again, and nothing is counted twice";

// All objects of a registry: tables with their columns, and nothing that runs on its own.
constexpr const char* kShape =
    "SELECT m.type || ' ' || m.name || ' ' || ifnull(c.name || ' ' || c.type || ' ' || c.\"notnull\" || "
    "c.pk, '') "
    "FROM sqlite_schema m LEFT JOIN pragma_table_info(m.name) c ON m.type = 'table' ORDER BY m.name, c.cid";

}  // namespace

std::unexpected<Error> RegistryDatabase::error() const {
  return fail(is_damaged() ? Code::kCorrupt : Code::kIo,
              fmt::format("registry {}: {}", file_, database_.message()), kAskTheDisk);
}

std::unexpected<Error> RegistryDatabase::damaged(std::string_view what) const {
  return fail(Code::kCorrupt, fmt::format("registry {}: damaged: {}", file_, what), kAskTheDisk);
}

bool RegistryDatabase::is_damaged() const {
  const auto status = database_.status();
  return status == SqliteStatus::kCorrupt || status == SqliteStatus::kNotDatabase;
}

Result<void> RegistryDatabase::open(SqliteDatabase::Mode mode) {
  if (database_.open(file_, mode, kBusyTimeout) != SqliteStatus::kOk) return error();
  return {};
}

Result<void> RegistryDatabase::run(const char* sql) {
  if (database_.run(sql) != SqliteStatus::kOk) return error();
  return {};
}

Result<SqliteStatement> RegistryDatabase::prepare(std::string_view sql) {
  auto statement = database_.prepare(sql);
  if (!statement) return error();
  return statement;
}

Result<void> RegistryDatabase::execute(SqliteStatement& statement) {
  const auto status = statement.step();
  statement.reset();
  if (status != SqliteStatus::kDone) return error();
  return {};
}

Result<bool> RegistryDatabase::next(SqliteStatement& statement) {
  const auto status = statement.step();
  if (status != SqliteStatus::kRow && status != SqliteStatus::kDone) return error();
  return status == SqliteStatus::kRow;
}

Result<std::vector<std::string>> RegistryDatabase::column_of(const char* sql) {
  auto statement = prepare(sql);
  if (!statement) return std::unexpected(statement.error());
  std::vector<std::string> out;
  for (;;) {
    const auto row = next(*statement);
    if (!row) return std::unexpected(row.error());
    if (!*row) return out;
    out.emplace_back(statement->bytes(0));
  }
}

Result<void> RegistryDatabase::check_shape() {
  RegistryDatabase pattern(":memory:");
  if (auto opened = pattern.open(SqliteDatabase::Mode::kReadWrite); !opened) return opened;
  if (auto made = pattern.run(kSchema); !made) return made;
  const auto expected = pattern.column_of(kShape);
  if (!expected) return std::unexpected(expected.error());
  const auto found = column_of(kShape);
  if (!found) return std::unexpected(found.error());
  if (*found != *expected) return damaged("its tables are not those of a registry");
  return {};
}

// Returns 0 if the file is empty. Errors: kInvalid (written by a newer weir), kCorrupt, kIo.
Result<int> RegistryDatabase::read_version(std::uint64_t& instance) {
  // After a power cut or on a bad disk, some pages may be lost while the rest is readable. Then we use none
  // of it.
  const auto whole = column_of("PRAGMA quick_check(1)");
  if (!whole) return std::unexpected(whole.error());
  if (*whole != std::vector<std::string>{"ok"}) return damaged(whole->empty() ? "" : whole->front());
  const auto objects = column_of("SELECT type || ' ' || name FROM sqlite_schema");
  if (!objects) return std::unexpected(objects.error());
  if (objects->empty()) return 0;
  if (std::find(objects->begin(), objects->end(), "table meta") == objects->end())
    return damaged("it has no table meta");
  const auto meta = column_of("SELECT name || '=' || value FROM meta");
  if (!meta) return std::unexpected(meta.error());
  std::uint64_t version = 0;
  for (const std::string_view row : *meta) {
    const auto read = [&](std::string_view name, std::uint64_t& out) {
      if (row.starts_with(name)) std::from_chars(row.data() + name.size(), row.data() + row.size(), out);
    };
    read("version=", version);
    read("instance=", instance);
  }
  if (version > kRegistryVersion) {
    return fail(Code::kInvalid,
                fmt::format("registry {}: its version {} is newer than this program knows ({})", file_,
                            version, kRegistryVersion),
                "install the newer weir-agent again");
  }
  if (version == 0 || instance == 0) return damaged("it does not say its version and instance");
  // A foreign trigger or view must not run when a row is read or written.
  for (const std::string_view object : *objects) {
    if (!object.starts_with("table ") && !object.starts_with("index sqlite_autoindex_"))
      return damaged(fmt::format("it has a {}", object));
  }
  return static_cast<int>(version);
}

Result<void> RegistryDatabase::migrate(int version, std::uint64_t& instance) {
  if (version == 1) {
    if (auto migrated = run(kFromVersion1); !migrated) return migrated;
  }
  if (version == 1 || version == 2) {
    if (auto migrated = run(kFromVersion2); !migrated) return migrated;
  }
  if (version >= 1 && version <= 3) {
    if (auto migrated = run(kFromVersion3); !migrated) return migrated;
  }
  if (auto made = run(kSchema); !made) return made;
  if (version != 0) return check_shape();
  instance = new_instance();
  return run(fmt::format("REPLACE INTO meta(name, value) VALUES('version','{}'),('instance','{}')",
                         kRegistryVersion, instance)
                 .c_str());
}

Result<std::uint64_t> RegistryDatabase::make_current() {
  std::uint64_t instance = 0;
  const auto version = read_version(instance);
  if (!version) return std::unexpected(version.error());
  if (auto begun = run("BEGIN IMMEDIATE"); !begun) return std::unexpected(begun.error());
  if (auto migrated = migrate(*version, instance); !migrated) return std::unexpected(migrated.error());
  if (auto done = run("COMMIT"); !done) return std::unexpected(done.error());
  return instance;
}

}  // namespace weir
