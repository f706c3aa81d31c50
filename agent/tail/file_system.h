// The agent's interface to the file system. posix_file_system() is the real one. The simulation's file system
// lies, tears writes and fails.
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
  std::uint64_t links = 0;       // 0: deleted, but still open
  std::int64_t birth_ns = 0;     // Unix epoch; 0: the file system does not know
  FileKind kind = FileKind::kRegular;
  bool by_link = false;  // the path is a symbolic link to the file
};

// An open file. It stays readable after its name is removed.
class File {
 public:
  virtual ~File() = default;
  [[nodiscard]] virtual Result<FileFacts> facts() const = 0;
  // Appends up to `size_bytes` from `offset` to `out`. Only 0 means the current end; a short read does not.
  [[nodiscard]] virtual Result<std::size_t> read(std::uint64_t offset, std::size_t size_bytes,
                                                 std::string& out) const = 0;
  // The offset of the first data at or after `offset`. A hole reads as NULs that nobody wrote. Returns the
  // file's size if no data follows, and `offset` if the file system does not report holes.
  [[nodiscard]] virtual std::uint64_t data_from(std::uint64_t offset) const = 0;
  // Free space on its file system for unprivileged users, or the maximum value if unknown.
  [[nodiscard]] virtual std::uint64_t free_bytes() const = 0;
};

struct GlobResult {
  std::vector<std::string> paths;  // sorted
  // Set if a folder on the way could not be read, so other paths may match.
  std::optional<Error> trouble;
};

// Errors: kNotFound means that the name definitely does not exist. Any other error (kIo: no permission, no
// descriptor left, a stale handle, a failing disk) says nothing about the file.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  [[nodiscard]] virtual Result<FileFacts> facts(const std::string& path) const = 0;  // follows links
  // Errors: also kInvalid for a folder, fifo, socket or device. It never blocks on one.
  [[nodiscard]] virtual Result<std::unique_ptr<File>> open(const std::string& path) const = 0;
  [[nodiscard]] virtual GlobResult glob(const std::string& pattern) const = 0;
  // The path with all links resolved, or `path` itself if that fails.
  [[nodiscard]] virtual std::string resolved(const std::string& path) const = 0;
  // True for network and user-space file systems, because inotify does not report their changes.
  [[nodiscard]] virtual bool needs_polling(const std::string& folder) const = 0;
};

// Stateless. Any thread may use it.
[[nodiscard]] const FileSystem& posix_file_system();

}  // namespace weir
