#include "agent/tail/file_system.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <glob.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string_view>

namespace weir {
namespace {

std::string hint_of(int number) {
  if (number == EACCES || number == EPERM) return "give the user that runs weir the right to read it";
  if (number == EMFILE || number == ENFILE) return "raise the limit of open files (LimitNOFILE)";
  return "";
}

std::unexpected<Error> system_error(const std::string& path, const char* what) {
  const int number = errno;
  const auto code = number == ENOENT || number == ENOTDIR ? Code::kNotFound : Code::kIo;
  return fail(code, fmt::format("{}: {}: {}", path, what, std::strerror(number)), hint_of(number));
}

FileFacts facts_of(const struct statx& found) {
  FileFacts facts;
  facts.device = makedev(found.stx_dev_major, found.stx_dev_minor);
  facts.inode = found.stx_ino;
  facts.size_bytes = found.stx_size;
  facts.modified_ms = found.stx_mtime.tv_sec * 1000 + found.stx_mtime.tv_nsec / 1'000'000;
  facts.links = found.stx_nlink;
  if ((found.stx_mask & STATX_BTIME) != 0)
    facts.birth_ns = found.stx_btime.tv_sec * 1'000'000'000 + found.stx_btime.tv_nsec;
  facts.kind = S_ISREG(found.stx_mode)   ? FileKind::kRegular
               : S_ISDIR(found.stx_mode) ? FileKind::kFolder
                                         : FileKind::kOther;
  return facts;
}

constexpr unsigned kWanted = STATX_BASIC_STATS | STATX_BTIME;

class PosixFile : public File {
 public:
  PosixFile(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  ~PosixFile() override { ::close(fd_); }
  PosixFile(const PosixFile&) = delete;
  PosixFile& operator=(const PosixFile&) = delete;

  [[nodiscard]] Result<FileFacts> facts() const override {
    struct statx found{};
    if (::statx(fd_, "", AT_EMPTY_PATH, kWanted, &found) != 0)
      return system_error(path_, "cannot be examined");
    return facts_of(found);
  }
  [[nodiscard]] Result<std::size_t> read(std::uint64_t offset, std::size_t size_bytes,
                                         std::string& out) const override {
    const auto before = out.size();
    ssize_t got = 0;
    // Not resize(): it would write zeros first, and the caller may ask for far more bytes than a short file
    // has.
    out.resize_and_overwrite(before + size_bytes, [&](char* bytes, std::size_t) {
      do {
        got = ::pread(fd_, bytes + before, size_bytes, static_cast<off_t>(offset));
      } while (got < 0 && errno == EINTR);
      return before + static_cast<std::size_t>(std::max<ssize_t>(got, 0));
    });
    if (got < 0) {
      auto error = system_error(path_, "cannot be read");
      error.error().code = Code::kIo;  // the file is open, so it exists, whatever errno says
      return error;
    }
    return static_cast<std::size_t>(got);
  }
  [[nodiscard]] std::uint64_t data_from(std::uint64_t offset) const override {
    const auto at = ::lseek(fd_, static_cast<off_t>(offset), SEEK_DATA);
    if (at >= 0) return static_cast<std::uint64_t>(at);
    if (errno != ENXIO) return offset;
    const auto end = ::lseek(fd_, 0, SEEK_END);
    return end < 0 ? offset : std::max(offset, static_cast<std::uint64_t>(end));
  }
  [[nodiscard]] std::uint64_t free_bytes() const override {
    struct statvfs found{};
    if (::fstatvfs(fd_, &found) != 0) return std::numeric_limits<std::uint64_t>::max();
    return static_cast<std::uint64_t>(found.f_bavail) * found.f_frsize;
  }

 private:
  std::string path_;
  int fd_;
};

thread_local std::string unreadable_folder;

class PosixFileSystem : public FileSystem {
 public:
  [[nodiscard]] Result<FileFacts> facts(const std::string& path) const override {
    struct statx found{};
    if (::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, kWanted, &found) != 0)
      return system_error(path, "cannot be examined");
    const bool link = S_ISLNK(found.stx_mode);
    if (link && ::statx(AT_FDCWD, path.c_str(), 0, kWanted, &found) != 0)
      return system_error(path, "cannot be examined");
    auto facts = facts_of(found);
    facts.by_link = link;
    return facts;
  }
  [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path) const override {
    // Checked first, because opening a device may have side effects. O_NONBLOCK: a fifo that replaces the
    // file in between must not block the loop.
    const auto named = facts(path);
    if (!named) return std::unexpected(named.error());
    const auto refuse = [&] {
      return fail(Code::kInvalid, path + ": is not a regular file", "exclude it from the input's paths");
    };
    if (named->kind != FileKind::kRegular) return refuse();
    const int fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) return system_error(path, "cannot be opened");
    auto file = std::make_unique<PosixFile>(path, fd);
    const auto opened = file->facts();
    if (!opened) return std::unexpected(opened.error());
    if (opened->kind != FileKind::kRegular) return refuse();
    return file;
  }
  [[nodiscard]] GlobResult glob(const std::string& pattern) const override {
    unreadable_folder.clear();
    glob_t found{};
    const auto note = [](const char* folder, int number) {
      // A missing folder, or a file in its place, is a valid answer and not an error.
      if (number != ENOENT && number != ENOTDIR)
        unreadable_folder = fmt::format("{}: cannot be read: {}", folder, std::strerror(number));
      return 0;
    };
    GlobResult result;
    const auto status = ::glob(pattern.c_str(), 0, note, &found);
    if (status == 0) {
      for (std::size_t i = 0; i < found.gl_pathc; ++i) result.paths.emplace_back(found.gl_pathv[i]);
    }
    ::globfree(&found);
    if (status == GLOB_NOSPACE) result.trouble = Error{Code::kIo, pattern + ": no memory to expand it", ""};
    if (!unreadable_folder.empty())
      result.trouble =
          Error{Code::kIo, unreadable_folder, "give the user that runs weir the right to read it"};
    return result;
  }
  [[nodiscard]] std::string resolved(const std::string& path) const override {
    const std::unique_ptr<char, decltype(&std::free)> real(::realpath(path.c_str(), nullptr), &std::free);
    return real ? std::string(real.get()) : path;
  }
  [[nodiscard]] bool needs_polling(const std::string& folder) const override {
    struct statfs found{};
    if (::statfs(folder.c_str(), &found) != 0) return false;
    // linux/magic.h and statfs(2): NFS, CIFS, SMB, SMB2, FUSE, 9P, Ceph, AFS, Coda, OCFS2, GFS2.
    constexpr std::array<std::uint32_t, 11> kRemote = {0x6969,     0xFF534D42, 0x517B,     0xFE534D42,
                                                       0x65735546, 0x01021997, 0x00C36400, 0x5346414F,
                                                       0x73757245, 0x7461636F, 0x01161970};
    return std::find(kRemote.begin(), kRemote.end(), static_cast<std::uint32_t>(found.f_type)) !=
           kRemote.end();
  }
};

}  // namespace

const FileSystem& posix_file_system() {
  static const PosixFileSystem files;
  return files;
}

}  // namespace weir
