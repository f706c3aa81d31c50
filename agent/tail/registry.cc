#include "agent/tail/registry.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>
#include <system_error>
#include <unordered_set>

#include "agent/tail/registry_status.h"

namespace weir {
namespace {

constexpr int kRegistryVersion = 1;
constexpr const char* kSchema = R"(
CREATE TABLE IF NOT EXISTS meta(name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS source(id TEXT PRIMARY KEY, path TEXT NOT NULL, input TEXT NOT NULL, device INTEGER NOT NULL,
  inode INTEGER NOT NULL, partition INTEGER NOT NULL, origin INTEGER NOT NULL, acknowledged_offset INTEGER NOT NULL,
  size_bytes INTEGER NOT NULL, tail_hash BLOB NOT NULL, last_acknowledged_ms INTEGER NOT NULL, state TEXT NOT NULL) WITHOUT ROWID;
)";
constexpr const char* kSelect =
    "SELECT id, path, input, device, inode, partition, origin, acknowledged_offset, size_bytes, tail_hash, "
    "last_acknowledged_ms, state FROM source ORDER BY path, id";
constexpr const char* kReplace = "REPLACE INTO source VALUES(?,?,?,?,?,?,?,?,?,?,?,?)";

using Database = std::unique_ptr<sqlite3, decltype(&sqlite3_close)>;
using Statement = std::unique_ptr<sqlite3_stmt, decltype(&sqlite3_finalize)>;

std::unexpected<Error> sqlite_error(const std::string& file, sqlite3* database) {
  return fail(Code::kIo, fmt::format("registry {}: {}", file, sqlite3_errmsg(database)),
              "check the disk and its free space; a registry that was deleted is built again, nothing is "
              "counted twice");
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
    if (!id) continue;  // not ours; the file is then read again and counted once
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
    entry.state = column_text(statement.get(), 11);
    entries.push_back(std::move(entry));
  }
  if (step != SQLITE_DONE) return sqlite_error(file, database);
  return entries;
}

std::uint64_t random_instance() {
  std::random_device device;
  return static_cast<std::uint64_t>(device()) << 32 | device();
}

}  // namespace

struct Registry::Impl {
  ~Impl() {
    if (lock_fd >= 0) ::close(lock_fd);
  }
  std::string file;
  int lock_fd = -1;
  Database database{nullptr, &sqlite3_close};
  std::uint64_t instance = 0;
  std::unordered_map<SourceId, RegistryEntry, SourceIdHash> entries;
  std::unordered_set<SourceId, SourceIdHash> dirty;

  Result<void> lock(const std::string& state_dir);
  Result<void> load();
};

Result<void> Registry::Impl::lock(const std::string& state_dir) {
  const auto path = state_dir + "/lock";
  lock_fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_fd < 0) {
    return fail(Code::kIo,
                fmt::format("state_dir {}: cannot open its lock: {}", state_dir, std::strerror(errno)),
                "give weir-agent's user the right to write there, or set [agent] state_dir");
  }
  if (::flock(lock_fd, LOCK_EX | LOCK_NB) != 0) {
    std::array<char, 32> pid{};
    const auto size = ::pread(lock_fd, pid.data(), pid.size() - 1, 0);
    std::string holder(pid.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    while (!holder.empty() && holder.back() == '\n') holder.pop_back();
    return fail(Code::kFenced,
                fmt::format("state_dir {}: another weir-agent uses it (pid {})", state_dir,
                            holder.empty() ? "unknown" : holder),
                "stop that one, or give this one a state_dir and an id of its own");
  }
  const auto pid = fmt::format("{}\n", ::getpid());
  if (::ftruncate(lock_fd, 0) != 0 ||
      ::pwrite(lock_fd, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return fail(Code::kIo, fmt::format("{}: {}", path, std::strerror(errno)),
                "check the disk and its free space");
  }
  return {};
}

Result<void> Registry::Impl::load() {
  int status = 0;
  database = open_database(file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, status);
  if (status != SQLITE_OK) return sqlite_error(file, database.get());
  // NORMAL in WAL mode: the last entries may be lost with the power (they are sent again), the file is never
  // torn.
  if (sqlite3_exec(database.get(), "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;", nullptr, nullptr,
                   nullptr) != SQLITE_OK ||
      sqlite3_exec(database.get(), kSchema, nullptr, nullptr, nullptr) != SQLITE_OK) {
    return sqlite_error(file, database.get());
  }
  std::string version;
  std::string instance_text;
  {
    const auto statement = prepare(database.get(), "SELECT name, value FROM meta");
    if (!statement) return sqlite_error(file, database.get());
    while (sqlite3_step(statement.get()) == SQLITE_ROW) {
      const auto name = column_text(statement.get(), 0);
      if (name == "version") version = column_text(statement.get(), 1);
      if (name == "instance") instance_text = column_text(statement.get(), 1);
    }
  }
  if (version.empty()) {
    instance = random_instance();
    const auto sql =
        fmt::format("REPLACE INTO meta VALUES('version','{}'),('instance','{}')", kRegistryVersion, instance);
    if (sqlite3_exec(database.get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK)
      return sqlite_error(file, database.get());
  } else {
    if (std::atoi(version.c_str()) > kRegistryVersion) {
      return fail(Code::kInvalid,
                  fmt::format("registry {}: its version {} is newer than this program knows ({})", file,
                              version, kRegistryVersion),
                  "install the newer weir-agent again");
    }
    instance = std::strtoull(instance_text.c_str(), nullptr, 10);
  }
  auto rows = read_entries(database.get(), file);
  if (!rows) return std::unexpected(rows.error());
  for (auto& entry : *rows) entries[entry.id] = std::move(entry);
  return {};
}

Registry::Registry() : impl_(std::make_unique<Impl>()) {}
Registry::~Registry() = default;

Result<std::unique_ptr<Registry>> Registry::open(const std::string& state_dir) {
  std::error_code error;
  std::filesystem::create_directories(state_dir, error);
  if (error) {
    return fail(Code::kIo, fmt::format("state_dir {}: cannot be made: {}", state_dir, error.message()),
                "give weir-agent's user the right to write there, or set [agent] state_dir");
  }
  std::unique_ptr<Registry> registry(new Registry);
  auto& impl = *registry->impl_;
  impl.file = state_dir + "/registry";
  if (auto locked = impl.lock(state_dir); !locked) return std::unexpected(locked.error());
  if (auto loaded = impl.load(); !loaded) return std::unexpected(loaded.error());
  return registry;
}

std::unique_ptr<Registry> Registry::in_memory() {
  std::unique_ptr<Registry> registry(new Registry);
  registry->impl_->instance = random_instance();
  return registry;
}

std::uint64_t Registry::instance() const { return impl_->instance; }

const RegistryEntry* Registry::find(const SourceId& id) const {
  const auto found = impl_->entries.find(id);
  return found == impl_->entries.end() ? nullptr : &found->second;
}

bool Registry::knows_file(std::uint64_t device, std::uint64_t inode) const {
  return std::any_of(impl_->entries.begin(), impl_->entries.end(), [&](const auto& entry) {
    return entry.second.device == device && entry.second.inode == inode;
  });
}

void Registry::put(const RegistryEntry& entry) {
  impl_->entries[entry.id] = entry;
  if (impl_->database) impl_->dirty.insert(entry.id);
}

Result<void> Registry::flush() {
  auto& impl = *impl_;
  if (impl.dirty.empty()) return {};
  auto* database = impl.database.get();
  if (sqlite3_exec(database, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) != SQLITE_OK)
    return sqlite_error(impl.file, database);
  const auto undo = [&]() -> Result<void> {
    auto error = sqlite_error(impl.file, database);
    sqlite3_exec(database, "ROLLBACK", nullptr, nullptr, nullptr);
    return error;
  };
  const auto statement = prepare(database, kReplace);
  if (!statement) return undo();
  for (const auto& id : impl.dirty) {
    const auto& entry = impl.entries[id];
    const auto hex = id.hex();
    auto* s = statement.get();
    const auto text = [&](int at, const std::string& value) {
      sqlite3_bind_text(s, at, value.data(), static_cast<int>(value.size()), SQLITE_STATIC);
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
    sqlite3_bind_blob(s, 10, entry.tail_hash.data(), static_cast<int>(entry.tail_hash.size()), SQLITE_STATIC);
    if (entry.tail_hash.empty()) sqlite3_bind_zeroblob(s, 10, 0);
    number(11, static_cast<std::uint64_t>(entry.last_acknowledged_ms));
    text(12, entry.state);
    if (sqlite3_step(s) != SQLITE_DONE) return undo();
    sqlite3_reset(s);
  }
  if (sqlite3_exec(database, "COMMIT", nullptr, nullptr, nullptr) != SQLITE_OK) return undo();
  impl.dirty.clear();
  return {};
}

Result<std::vector<SourceStatus>> read_registry_status(const std::string& state_dir) {
  const auto file = state_dir + "/registry";
  if (::access(file.c_str(), F_OK) != 0) {
    return fail(Code::kNotFound,
                fmt::format("no registry in {}: no agent has run with this state_dir", state_dir),
                "name the agent's configuration with --config, or its folder with --state-dir");
  }
  int status = 0;
  const auto database = open_database(file, SQLITE_OPEN_READONLY, status);
  if (status != SQLITE_OK) return sqlite_error(file, database.get());
  auto rows = read_entries(database.get(), file);
  if (!rows) return std::unexpected(rows.error());
  std::vector<SourceStatus> out;
  for (const auto& entry : *rows) {
    SourceStatus source{.id = entry.id,
                        .path = entry.path,
                        .input = entry.input,
                        .size_bytes = entry.size_bytes,
                        .read_offset = entry.acknowledged_offset,
                        .acknowledged_offset = entry.acknowledged_offset,
                        .last_acknowledged_ms = entry.last_acknowledged_ms,
                        .state = entry.state};
    struct stat facts{};
    // The file may have grown since: say so when it is still the same one.
    if (!entry.path.ends_with(".gz") && ::stat(entry.path.c_str(), &facts) == 0 &&
        facts.st_ino == entry.inode) {
      source.size_bytes = static_cast<std::uint64_t>(facts.st_size);
    }
    out.push_back(std::move(source));
  }
  return out;
}

}  // namespace weir
