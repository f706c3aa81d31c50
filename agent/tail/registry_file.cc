// The registry in an SQLite file that one agent locks: opening it, replacing a damaged one, reading it beside
// a running agent.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <tuple>

#include "agent/tail/content.h"
#include "agent/tail/registry.h"
#include "agent/tail/registry_database.h"
#include "agent/tail/registry_rows.h"
#include "agent/tail/registry_status.h"

namespace weir {
namespace {

Result<void> read_rows(RegistryDatabase& database, RegistryContent& content) {
  auto entries = read_entries(database);
  if (!entries) return std::unexpected(entries.error());
  auto losses = read_losses(database);
  if (!losses) return std::unexpected(losses.error());
  content.entries = std::move(*entries);
  content.losses = std::move(*losses);
  return {};
}

class SqliteRegistryFile : public RegistryFile {
 public:
  explicit SqliteRegistryFile(std::string file) : database_(std::move(file)) {}
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
  [[nodiscard]] Result<void> write_rows(const Change& change);

  RegistryDatabase database_;
  int lock_fd_ = -1;
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
  // Nothing in the file can be trusted. Logs that still exist are read again and still counted only once.
  database_.close();
  std::error_code error;
  std::filesystem::rename(database_.file(), database_.file() + ".damaged", error);
  if (error) return content;
  for (const char* beside : {"-wal", "-shm"}) std::filesystem::remove(database_.file() + beside, error);
  auto fresh = load_once();
  if (fresh) {
    fresh->note = fmt::format(
        "{}; it was put aside as {}.damaged and a new one begun: what still exists is read "
        "again and counted once",
        content.error().what, database_.file());
  }
  return fresh;
}

Result<RegistryContent> SqliteRegistryFile::load_once() {
  if (auto opened = database_.open(SqliteDatabase::Mode::kReadWrite); !opened)
    return std::unexpected(opened.error());
  // NORMAL in WAL mode: a power cut may lose the last entries (their lines are sent again) but never corrupts
  // the file. All rows are read once, at startup, so a cache of 256 KiB is enough.
  if (auto set = database_.run("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; "
                               "PRAGMA trusted_schema=OFF; PRAGMA cache_size=-256;");
      !set)
    return std::unexpected(set.error());
  RegistryContent content;
  const auto instance = database_.make_current();
  if (!instance) return std::unexpected(instance.error());
  content.instance = *instance;
  if (auto read = read_rows(database_, content); !read) return std::unexpected(read.error());
  return content;
}

Result<void> SqliteRegistryFile::write_rows(const Change& change) {
  if (auto done = put_entries(database_, change.put); !done) return done;
  if (auto done = remove_entries(database_, change.forgotten); !done) return done;
  if (change.losses != nullptr) {
    if (auto done = replace_losses(database_, *change.losses); !done) return done;
  }
  return database_.run("COMMIT");
}

Result<void> SqliteRegistryFile::write(const Change& change) {
  // FULL waits for the disk. An acknowledgement does not need that: if it is lost, its lines are sent again.
  const char* synchronous = change.durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL";
  if (auto set = database_.run(synchronous); !set) return set;
  if (auto begun = database_.run("BEGIN IMMEDIATE"); !begun) return begun;
  auto written = write_rows(change);
  // Report the first error, whether or not the rollback succeeds.
  if (!written) std::ignore = database_.run("ROLLBACK");
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
  RegistryDatabase database(state_dir + "/registry");
  const auto& file = database.file();
  if (::access(file.c_str(), F_OK) != 0) {
    return fail(Code::kNotFound,
                fmt::format("no registry in {}: no agent has run with this state_dir", state_dir),
                "name the agent's configuration with --config, or its folder with --state-dir");
  }
  if (auto opened = database.open(SqliteDatabase::Mode::kReadOnly); !opened)
    return std::unexpected(opened.error());
  const auto objects = database.column_of("SELECT name FROM sqlite_schema LIMIT 1");
  if (objects && objects->empty()) return RegistryContent{};  // the file is just being created
  if (auto shape = database.check_shape(); !shape) {
    if (shape.error().code != Code::kCorrupt || database.is_damaged()) return std::unexpected(shape.error());
    return fail(Code::kInvalid,
                fmt::format("registry {}: was not written by this version of weir-agent", file),
                "start weir-agent once: it brings an older registry up to date, and says when it is damaged");
  }
  RegistryContent content;
  if (auto read = read_rows(database, content); !read) return std::unexpected(read.error());
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
                        .state = entry.state,
                        .routes = entry.routes};
    // If it is still the same file, use its current size.
    const auto facts = posix_file_system().facts(entry.path);
    if (!is_compressed_path(entry.path) && facts && facts->inode == entry.inode)
      source.size_bytes = facts->size_bytes;
    out.push_back(std::move(source));
  }
  return out;
}

}  // namespace weir
