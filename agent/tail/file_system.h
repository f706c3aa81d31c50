// What the agent asks of the file system. The real one is posix_file_system(); the
// simulation has one that lies, tears and fails.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "proto/result.h"

namespace weir {

enum class FileKind : std::uint8_t { kRegular, kFolder, kOther };

struct FileFacts {
  std::uint64_t device = 0, inode = 0;
  std::uint64_t size_bytes = 0;  // on disk
  std::int64_t modified_ms = 0;  // Unix epoch
  std::uint64_t links = 0;       // 0: no name leads to it any more
  std::int64_t birth_ns = 0;     // Unix epoch; 0: this file system does not tell
  FileKind kind = FileKind::kRegular;
  bool by_link = false;  // the name that was looked at is a symbolic link to it
};

// An open file. It stays readable after its name is gone.
class File {
 public:
  virtual ~File() = default;
  [[nodiscard]] virtual Result<FileFacts> facts() const = 0;
  // Appends up to `size_bytes` from `offset` to `out`; fewer than asked for is no end, 0 is (for now).
  [[nodiscard]] virtual Result<std::size_t> read(std::uint64_t offset, std::size_t size_bytes,
                                                 std::string& out) const = 0;
  // Where data begins at or after `offset`: a hole reads as NULs that nobody wrote. The file's
  // size when there is none; `offset` when the file system knows no holes.
  [[nodiscard]] virtual std::uint64_t data_from(std::uint64_t offset) const = 0;
  // Of its file system, for those who may write; the maximum when unknown.
  [[nodiscard]] virtual std::uint64_t free_bytes() const = 0;
};

struct GlobResult {
  std::vector<std::string> paths;  // sorted
  // Set: a folder on the way could not be read; what else matches is not known.
  std::optional<Error> trouble;
};

// Errors: kNotFound means that the name is surely not there. All else (kIo: no right, no
// descriptor left, a stale handle, a failing disk) means that nothing is known.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  [[nodiscard]] virtual Result<FileFacts> look(const std::string& path) const = 0;  // follows links
  // Errors: kInvalid, too: a folder, fifo, socket or device. Never blocks on one.
  [[nodiscard]] virtual Result<std::unique_ptr<File>> open(const std::string& path) const = 0;
  [[nodiscard]] virtual GlobResult glob(const std::string& pattern) const = 0;
  // With all links resolved; `path` itself when that cannot be told.
  [[nodiscard]] virtual std::string resolved(const std::string& path) const = 0;
  // A network or user-space file system, whose changes inotify does not tell.
  [[nodiscard]] virtual bool needs_polling(const std::string& folder) const = 0;
};

// Stateless; any thread.
[[nodiscard]] const FileSystem& posix_file_system();

}  // namespace weir
