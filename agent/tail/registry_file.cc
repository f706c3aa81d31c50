#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "agent/tail/content.h"
#include "agent/tail/registry.h"
#include "agent/tail/registry_status.h"
#include "proto/varint.h"

namespace weir {
namespace {

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
// Version 1 had fewer columns and no table loss.
constexpr const char* kFromVersion1 = R"(
ALTER TABLE source ADD COLUMN base TEXT NOT NULL DEFAULT '';
ALTER TABLE source ADD COLUMN line_hash BLOB NOT NULL DEFAULT x'';
ALTER TABLE source ADD COLUMN birth_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE source ADD COLUMN seen_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE source ADD COLUMN sent_offset INTEGER NOT NULL DEFAULT 0;
ALTER TABLE source ADD COLUMN sent_tail_hash BLOB NOT NULL DEFAULT x'';
UPDATE source SET base = id, seen_ms = last_acknowledged_ms;
)";
// Version 2 did not know windows.
constexpr const char* kFromVersion2 = R"(
ALTER TABLE source ADD COLUMN cuts BLOB NOT NULL DEFAULT x'';
UPDATE meta SET value = '3' WHERE name = 'version';
)";
// Version 3 had one acknowledged offset for all routes.
constexpr const char* kFromVersion3 = R"(
ALTER TABLE source ADD COLUMN routes TEXT NOT NULL DEFAULT '';
UPDATE meta SET value = '4' WHERE name = 'version';
)";
constexpr const char* kSelect =
    "SELECT id, path, input, device, inode, partition, origin, acknowledged_offset, size_bytes, tail_hash, "
    "last_acknowledged_ms, state, base, line_hash, birth_ns, seen_ms, sent_offset, sent_tail_hash, cuts, "
    "routes "
    "FROM source ORDER BY path, id";
constexpr const char* kReplace =
    "REPLACE INTO source(id, path, input, device, inode, partition, origin, acknowledged_offset, size_bytes, "
    "tail_hash, last_acknowledged_ms, state, base, line_hash, birth_ns, seen_ms, sent_offset, "
    "sent_tail_hash, cuts, routes) "
    "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

using Database = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;
using Statement = std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)>;

constexpr const char* kAskTheDisk =
    "check the disk and its free space; a deleted registry is built again, and nothing is counted twice";

bool is_damage(int status) {
  return (status & 0xff) == SQLITE_CORRUPT || (status & 0xff) == SQLITE_NOTADB ||
         (status & 0xff) == SQLITE_SCHEMA;
}

std::unexpected<Error> sqlite_error(const std::string& file, sqlite3* database) {
  return fail(is_damage(sqlite3_errcode(database)) ? Code::kCorrupt : Code::kIo,
              fmt::format("registry {}: {}", file, sqlite3_errmsg(database)), kAskTheDisk);
}

std::unexpected<Error> damaged(const std::string& file, std::string_view what) {
  return fail(Code::kCorrupt, fmt::format("registry {}: damaged: {}", file, what), kAskTheDisk);
}

Statement prepare(sqlite3* database, const char* sql) {
  sqlite3_stmt* statement = nullptr;
  sqlite3_prepare_v2(database, sql, -1, &statement, nullptr);
  return {statement, &sqlite3_finalize};
}

Database open_database(const std::string& file, int flags, int& status) {
  sqlite3* raw = nullptr;
  status = sqlite3_open_v2(file.c_str(), &raw, flags, nullptr);
  if (raw != nullptr) sqlite3_busy_timeout(raw, 2000);
  return {raw, &sqlite3_close};
}

std::string column_text(sqlite3_stmt* row, int column) {
  const auto* bytes = static_cast<const char*>(sqlite3_column_blob(row, column));
  return bytes == nullptr ? std::string()
                          : std::string(bytes, static_cast<std::size_t>(sqlite3_column_bytes(row, column)));
}

// The bytes of column cuts, as varints: 1, then the distance of each cut from the one before (of the first:
// from the acknowledged offset). Empty: not known.
std::string cuts_bytes(const RegistryEntry& entry) {
  std::string out;
  if (!entry.cuts_known) return out;
  append_varint(out, 1);
  auto before = entry.acknowledged_offset;
  for (const auto cut : entry.cuts) {
    append_varint(out, cut - before);
    before = cut;
  }
  return out;
}

// Cuts that cannot be read are not known. The source is then shipped as records, which is never wrong.
void read_cuts(std::string_view bytes, RegistryEntry& entry) {
  std::uint64_t number = 0;
  if (!take_varint(bytes, number) || number != 1) return;
  auto cut = entry.acknowledged_offset;
  while (!bytes.empty()) {
    if (!take_varint(bytes, number) || number == 0 || number >= 1ULL << 62 || cut >= 1ULL << 62) {
      entry.cuts.clear();
      return;
    }
    cut += number;
    entry.cuts.push_back(cut);
  }
  entry.cuts_known = true;
}

// "batch=1000 windows=800".
std::string routes_text(const RegistryEntry& entry) {
  std::string out;
  for (const auto& [route, offset] : entry.routes)
    out += fmt::format("{}{}={}", out.empty() ? "" : " ", route, offset);
  return out;
}

// What cannot be read is not known: all routes are then at the acknowledged offset, and what was sent behind
// it goes as records once, which is never wrong.
void read_routes(std::string_view text, RegistryEntry& entry) {
  while (!text.empty()) {
    const auto word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    const auto equals = word.find('=');
    RouteOffset route{std::string(word.substr(0, equals)), 0};
    const char* end = word.data() + word.size();
    const auto number = equals == std::string_view::npos
                            ? std::from_chars_result{nullptr, std::errc::invalid_argument}
                            : std::from_chars(word.data() + equals + 1, end, route.acknowledged_offset);
    if (number.ec != std::errc{} || number.ptr != end || route.route.empty() ||
        route.acknowledged_offset < entry.acknowledged_offset) {
      entry.routes.clear();
      entry.cuts_known = false;
      entry.cuts.clear();
      return;
    }
    entry.routes.push_back(std::move(route));
  }
}

Result<std::vector<RegistryEntry>> read_entries(sqlite3* database, const std::string& file) {
  const auto statement = prepare(database, kSelect);
  if (!statement) return sqlite_error(file, database);
  std::vector<RegistryEntry> entries;
  int step = 0;
  const auto number = [&](int column) {
    return static_cast<std::uint64_t>(sqlite3_column_int64(statement.get(), column));
  };
  while ((step = sqlite3_step(statement.get())) == SQLITE_ROW) {
    const auto id = SourceId::from_hex(column_text(statement.get(), 0));
    if (!id) continue;  // not written by weir; the file is read again and counted once
    RegistryEntry entry;
    entry.id = *id;
    entry.path = column_text(statement.get(), 1);
    entry.input = column_text(statement.get(), 2);
    entry.device = number(3);
    entry.inode = number(4);
    entry.partition = static_cast<std::int32_t>(number(5));
    entry.origin = number(6);
    entry.acknowledged_offset = number(7);
    entry.size_bytes = number(8);
    entry.tail_hash = column_text(statement.get(), 9);
    entry.last_acknowledged_ms = static_cast<std::int64_t>(number(10));
    entry.state = FileCondition::from_text(column_text(statement.get(), 11));
    const auto base = SourceId::from_hex(column_text(statement.get(), 12));
    entry.base = base ? *base : entry.id;
    entry.line_hash = column_text(statement.get(), 13);
    entry.birth_ns = static_cast<std::int64_t>(number(14));
    entry.seen_ms = static_cast<std::int64_t>(number(15));
    entry.sent_offset = number(16);
    entry.sent_tail_hash = column_text(statement.get(), 17);
    read_cuts(column_text(statement.get(), 18), entry);
    read_routes(column_text(statement.get(), 19), entry);
    entries.push_back(std::move(entry));
  }
  if (step != SQLITE_DONE) return sqlite_error(file, database);
  return entries;
}

Result<std::vector<Loss>> read_losses(sqlite3* database, const std::string& file) {
  const auto statement = prepare(
      database,
      "SELECT source, begin_offset, end_offset, cause, origin, partition, path, input, noticed_ms FROM loss");
  if (!statement) return sqlite_error(file, database);
  auto* row = statement.get();
  std::vector<Loss> losses;
  int step = 0;
  while ((step = sqlite3_step(row)) == SQLITE_ROW) {
    const auto id = SourceId::from_hex(column_text(row, 0));
    const auto begin = static_cast<std::uint64_t>(sqlite3_column_int64(row, 1));
    const auto end = static_cast<std::uint64_t>(sqlite3_column_int64(row, 2));
    if (!id || begin >= end) continue;
    losses.push_back({.source = *id,
                      .range = {begin, end},
                      .cause = loss_cause_of(static_cast<std::uint64_t>(sqlite3_column_int64(row, 3))),
                      .origin = static_cast<std::uint64_t>(sqlite3_column_int64(row, 4)),
                      .partition = sqlite3_column_int(row, 5),
                      .path = column_text(row, 6),
                      .input = column_text(row, 7),
                      .noticed_ms = sqlite3_column_int64(row, 8)});
  }
  if (step != SQLITE_DONE) return sqlite_error(file, database);
  return losses;
}

// The first column of each row.
Result<std::vector<std::string>> column_of(sqlite3* database, const std::string& file, const char* sql) {
  const auto statement = prepare(database, sql);
  if (!statement) return sqlite_error(file, database);
  std::vector<std::string> out;
  int step = 0;
  while ((step = sqlite3_step(statement.get())) == SQLITE_ROW) out.push_back(column_text(statement.get(), 0));
  if (step != SQLITE_DONE) return sqlite_error(file, database);
  return out;
}

// All objects of a registry: tables with their columns, and nothing that runs by itself.
constexpr const char* kShape =
    "SELECT m.type || ' ' || m.name || ' ' || ifnull(c.name || ' ' || c.type || ' ' || c.\"notnull\" || "
    "c.pk, '') "
    "FROM sqlite_schema m LEFT JOIN pragma_table_info(m.name) c ON m.type = 'table' ORDER BY m.name, c.cid";

Result<void> check_shape(sqlite3* database, const std::string& file) {
  int status = 0;
  const auto pattern = open_database(":memory:", SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, status);
  if (status != SQLITE_OK || sqlite3_exec(pattern.get(), kSchema, nullptr, nullptr, nullptr) != SQLITE_OK)
    return sqlite_error(file, pattern.get());
  const auto expected = column_of(pattern.get(), file, kShape);
  if (!expected) return std::unexpected(expected.error());
  const auto found = column_of(database, file, kShape);
  if (!found) return std::unexpected(found.error());
  if (*found != *expected) return damaged(file, "its tables are not those of a registry");
  return {};
}

class SqliteRegistryFile : public RegistryFile {
 public:
  explicit SqliteRegistryFile(std::string file) : file_(std::move(file)) {}
  ~SqliteRegistryFile() override {
    if (lock_fd_ >= 0) ::close(lock_fd_);
  }
  SqliteRegistryFile(const SqliteRegistryFile&) = delete;
  SqliteRegistryFile& operator=(const SqliteRegistryFile&) = delete;

  [[nodiscard]] Result<void> lock(const std::string& state_dir);
  [[nodiscard]] Result<RegistryContent> load() override;
  [[nodiscard]] Result<void> write(const Change& change) override;

 private:
  [[nodiscard]] Result<RegistryContent> load_once();
  [[nodiscard]] Result<int> read_version(std::uint64_t& instance);
  [[nodiscard]] Result<void> run(const char* sql) {
    if (sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK)
      return sqlite_error(file_, database_.get());
    return {};
  }
  [[nodiscard]] Result<void> put(sqlite3_stmt* statement, const RegistryEntry& entry);
  [[nodiscard]] Result<void> put_losses(const std::vector<Loss>& losses);

  std::string file_;
  int lock_fd_ = -1;
  Database database_{nullptr, &sqlite3_close};
};

Result<void> SqliteRegistryFile::lock(const std::string& state_dir) {
  const auto path = state_dir + "/lock";
  lock_fd_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_fd_ < 0) {
    return fail(Code::kIo,
                fmt::format("state_dir {}: cannot open its lock: {}", state_dir, std::strerror(errno)),
                "give weir-agent's user the right to write there, or set [agent] state_dir");
  }
  if (::flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    std::array<char, 32> pid{};
    const auto size = ::pread(lock_fd_, pid.data(), pid.size() - 1, 0);
    std::string holder(pid.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    while (!holder.empty() && holder.back() == '\n') holder.pop_back();
    return fail(Code::kFenced,
                fmt::format("state_dir {}: another weir-agent uses it (pid {})", state_dir,
                            holder.empty() ? "unknown" : holder),
                "stop that one, or give this one a state_dir and an id of its own");
  }
  const auto pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock_fd_, 0) != 0 ||
      ::pwrite(lock_fd_, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return fail(Code::kIo, fmt::format("{}: {}", path, std::strerror(errno)),
                "check the disk and its free space");
  }
  return {};
}

Result<RegistryContent> SqliteRegistryFile::load() {
  auto content = load_once();
  if (content || content.error().code != Code::kCorrupt) return content;
  // Nothing in the file can be trusted. Logs that still exist are read again and counted once.
  database_.reset();
  std::error_code error;
  std::filesystem::rename(file_, file_ + ".damaged", error);
  if (error) return content;
  for (const char* beside : {"-wal", "-shm"}) std::filesystem::remove(file_ + beside, error);
  auto fresh = load_once();
  if (fresh) {
    fresh->note = fmt::format(
        "{}; it was put aside as {}.damaged and a new one begun: what still exists is read "
        "again and counted once",
        content.error().what, file_);
  }
  return fresh;
}

// 0: the file is empty. Errors: kInvalid (written by a newer weir), kCorrupt, kIo.
Result<int> SqliteRegistryFile::read_version(std::uint64_t& instance) {
  auto* database = database_.get();
  // After a power cut or on a bad disk, some pages may be gone while the rest can be read. None of it is
  // used.
  const auto whole = column_of(database, file_, "PRAGMA quick_check(1)");
  if (!whole) return std::unexpected(whole.error());
  if (*whole != std::vector<std::string>{"ok"}) return damaged(file_, whole->empty() ? "" : whole->front());
  const auto objects = column_of(database, file_, "SELECT type || ' ' || name FROM sqlite_schema");
  if (!objects) return std::unexpected(objects.error());
  if (objects->empty()) return 0;
  if (std::find(objects->begin(), objects->end(), "table meta") == objects->end())
    return damaged(file_, "it has no table meta");
  const auto meta = column_of(database, file_, "SELECT name || '=' || value FROM meta");
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
  if (version == 0 || instance == 0) return damaged(file_, "it does not say its version and instance");
  // A stranger's trigger or view must not run when a row is read or written.
  for (const std::string_view object : *objects) {
    if (!object.starts_with("table ") && !object.starts_with("index sqlite_autoindex_"))
      return damaged(file_, fmt::format("it has a {}", object));
  }
  return static_cast<int>(version);
}

Result<RegistryContent> SqliteRegistryFile::load_once() {
  int status = 0;
  database_ = open_database(file_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, status);
  if (status != SQLITE_OK) return sqlite_error(file_, database_.get());
  // NORMAL in WAL mode: a power cut may take the last entries (their lines are sent again), but never tears
  // the file. All rows are read once, at the start, so a cache of 256 KiB is enough.
  if (auto set = run("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA trusted_schema=OFF; PRAGMA "
                     "cache_size=-256;");
      !set)
    return std::unexpected(set.error());
  RegistryContent content;
  const auto version = read_version(content.instance);
  if (!version) return std::unexpected(version.error());
  if (auto begun = run("BEGIN IMMEDIATE"); !begun) return std::unexpected(begun.error());
  const auto prepared = [&]() -> Result<void> {
    if (*version == 1) {
      if (auto migrated = run(kFromVersion1); !migrated) return migrated;
    }
    if (*version == 1 || *version == 2) {
      if (auto migrated = run(kFromVersion2); !migrated) return migrated;
    }
    if (*version >= 1 && *version <= 3) {
      if (auto migrated = run(kFromVersion3); !migrated) return migrated;
    }
    if (auto made = run(kSchema); !made) return made;
    if (*version != 0) return check_shape(database_.get(), file_);
    content.instance = new_instance();
    return run(fmt::format("REPLACE INTO meta VALUES('version','{}'),('instance','{}')", kRegistryVersion,
                           content.instance)
                   .c_str());
  }();
  if (!prepared) return std::unexpected(prepared.error());
  if (auto done = run("COMMIT"); !done) return std::unexpected(done.error());
  auto entries = read_entries(database_.get(), file_);
  if (!entries) return std::unexpected(entries.error());
  auto losses = read_losses(database_.get(), file_);
  if (!losses) return std::unexpected(losses.error());
  content.entries = std::move(*entries);
  content.losses = std::move(*losses);
  return content;
}

Result<void> SqliteRegistryFile::put(sqlite3_stmt* s, const RegistryEntry& entry) {
  const auto hex = entry.id.hex();
  const auto base = entry.base.hex();
  const auto text = [&](int at, const std::string& value) {
    sqlite3_bind_text(s, at, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
  };
  const auto blob = [&](int at, const std::string& value) {
    sqlite3_bind_blob(s, at, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
    if (value.empty()) sqlite3_bind_zeroblob(s, at, 0);
  };
  const auto number = [&](int at, std::uint64_t value) {
    sqlite3_bind_int64(s, at, static_cast<sqlite3_int64>(value));
  };
  text(1, hex);
  text(2, entry.path);
  text(3, entry.input);
  number(4, entry.device);
  number(5, entry.inode);
  sqlite3_bind_int(s, 6, entry.partition);
  number(7, entry.origin);
  number(8, entry.acknowledged_offset);
  number(9, entry.size_bytes);
  blob(10, entry.tail_hash);
  sqlite3_bind_int64(s, 11, entry.last_acknowledged_ms);
  const auto state = entry.state.text();
  text(12, state);
  text(13, base);
  blob(14, entry.line_hash);
  sqlite3_bind_int64(s, 15, entry.birth_ns);
  sqlite3_bind_int64(s, 16, entry.seen_ms);
  number(17, entry.sent_offset);
  blob(18, entry.sent_tail_hash);
  const auto cuts = cuts_bytes(entry);
  blob(19, cuts);
  const auto routes = routes_text(entry);
  text(20, routes);
  const auto step = sqlite3_step(s);
  sqlite3_reset(s);
  if (step != SQLITE_DONE) return sqlite_error(file_, database_.get());
  return {};
}

Result<void> SqliteRegistryFile::put_losses(const std::vector<Loss>& losses) {
  if (auto cleared = run("DELETE FROM loss"); !cleared) return cleared;
  const auto statement = prepare(database_.get(), "INSERT INTO loss VALUES(?,?,?,?,?,?,?,?,?)");
  if (!statement) return sqlite_error(file_, database_.get());
  auto* s = statement.get();
  for (const auto& loss : losses) {
    const auto hex = loss.source.hex();
    sqlite3_bind_text(s, 1, hex.data(), static_cast<int>(hex.size()), SQLITE_STATIC);
    sqlite3_bind_int64(s, 2, static_cast<sqlite3_int64>(loss.range.begin));
    sqlite3_bind_int64(s, 3, static_cast<sqlite3_int64>(loss.range.end));
    sqlite3_bind_int(s, 4, static_cast<int>(loss.cause));
    sqlite3_bind_int64(s, 5, static_cast<sqlite3_int64>(loss.origin));
    sqlite3_bind_int(s, 6, loss.partition);
    sqlite3_bind_text(s, 7, loss.path.data(), static_cast<int>(loss.path.size()), SQLITE_STATIC);
    sqlite3_bind_text(s, 8, loss.input.data(), static_cast<int>(loss.input.size()), SQLITE_STATIC);
    sqlite3_bind_int64(s, 9, loss.noticed_ms);
    const auto step = sqlite3_step(s);
    sqlite3_reset(s);
    if (step != SQLITE_DONE) return sqlite_error(file_, database_.get());
  }
  return {};
}

Result<void> SqliteRegistryFile::write(const Change& change) {
  // FULL waits for the disk. An acknowledgement does not need that: if it is lost, its lines are sent again.
  const char* synchronous = change.durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL";
  if (auto set = run(synchronous); !set) return set;
  if (auto begun = run("BEGIN IMMEDIATE"); !begun) return begun;
  const auto written = [&]() -> Result<void> {
    const auto replace = prepare(database_.get(), kReplace);
    const auto remove = prepare(database_.get(), "DELETE FROM source WHERE id = ?");
    if (!replace || !remove) return sqlite_error(file_, database_.get());
    for (const auto* entry : change.put) {
      if (auto done = put(replace.get(), *entry); !done) return done;
    }
    for (const auto& id : change.forgotten) {
      const auto hex = id.hex();
      sqlite3_bind_text(remove.get(), 1, hex.data(), static_cast<int>(hex.size()), SQLITE_STATIC);
      const auto step = sqlite3_step(remove.get());
      sqlite3_reset(remove.get());
      if (step != SQLITE_DONE) return sqlite_error(file_, database_.get());
    }
    if (change.losses != nullptr) {
      if (auto done = put_losses(*change.losses); !done) return done;
    }
    return run("COMMIT");
  }();
  if (!written) sqlite3_exec(database_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
  return written;
}

}  // namespace

Result<std::unique_ptr<RegistryFile>> open_registry_file(const std::string& state_dir) {
  std::error_code error;
  std::filesystem::create_directories(state_dir, error);
  if (error) {
    return fail(Code::kIo, fmt::format("state_dir {}: cannot be created: {}", state_dir, error.message()),
                "give weir-agent's user the right to write there, or set [agent] state_dir");
  }
  auto file = std::make_unique<SqliteRegistryFile>(state_dir + "/registry");
  if (auto locked = file->lock(state_dir); !locked) return std::unexpected(locked.error());
  return file;
}

Result<RegistryContent> read_registry(const std::string& state_dir) {
  const auto file = state_dir + "/registry";
  if (::access(file.c_str(), F_OK) != 0) {
    return fail(Code::kNotFound,
                fmt::format("no registry in {}: no agent has run with this state_dir", state_dir),
                "name the agent's configuration with --config, or its folder with --state-dir");
  }
  int status = 0;
  const auto database = open_database(file, SQLITE_OPEN_READONLY, status);
  if (status != SQLITE_OK) return sqlite_error(file, database.get());
  const auto objects = column_of(database.get(), file, "SELECT name FROM sqlite_schema LIMIT 1");
  if (objects && objects->empty()) return RegistryContent{};  // it is just being created
  if (auto shape = check_shape(database.get(), file); !shape) {
    if (shape.error().code != Code::kCorrupt || is_damage(sqlite3_errcode(database.get())))
      return std::unexpected(shape.error());
    return fail(Code::kInvalid,
                fmt::format("registry {}: was not written by this version of weir-agent", file),
                "start weir-agent once: it brings an older registry up to date, and says when it is damaged");
  }
  RegistryContent content;
  auto entries = read_entries(database.get(), file);
  if (!entries) return std::unexpected(entries.error());
  auto losses = read_losses(database.get(), file);
  if (!losses) return std::unexpected(losses.error());
  content.entries = std::move(*entries);
  content.losses = std::move(*losses);
  return content;
}

Result<std::vector<SourceStatus>> read_registry_status(const std::string& state_dir) {
  auto content = read_registry(state_dir);
  if (!content) return std::unexpected(content.error());
  std::vector<SourceStatus> out;
  for (const auto& entry : content->entries) {
    SourceStatus source{.id = entry.id,
                        .path = entry.path,
                        .input = entry.input,
                        .size_bytes = entry.size_bytes,
                        .read_offset = entry.acknowledged_offset,
                        .acknowledged_offset = entry.acknowledged_offset,
                        .last_acknowledged_ms = entry.last_acknowledged_ms,
                        .state = entry.state};
    // If it is still the same file, its size now is known better.
    const auto facts = posix_file_system().look(entry.path);
    if (!is_compressed_path(entry.path) && facts && facts->inode == entry.inode)
      source.size_bytes = facts->size_bytes;
    out.push_back(std::move(source));
  }
  return out;
}

}  // namespace weir
