#include "aggregator/log_arguments.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>

namespace weir {
namespace {

constexpr std::size_t kMaxLineBytes = 64 << 10;

bool is_glob(const std::string& path) { return path.find_first_of("*?[") != std::string::npos; }

Error unreadable(const std::string& path, int error) {
  const char* hint = error == ENOENT   ? "correct the path, or quote a glob to wait for files that come later"
                     : error == EACCES ? "run as a user who may read it (on Debian: group adm), or as root"
                                       : "correct the path";
  return {Code::kNotFound, fmt::format("{}: {}", path, std::strerror(error)), hint};
}

Result<void> check_readable(const std::string& path) {
  // Non-blocking: opening a FIFO would wait for its writer.
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return std::unexpected(unreadable(path, errno));
  struct stat info{};
  const int failed = fstat(fd, &info);
  close(fd);
  if (failed == 0 && S_ISREG(info.st_mode)) return {};
  return fail(Code::kInvalid, fmt::format("{}: not a file", path),
              failed == 0 && S_ISDIR(info.st_mode) ? fmt::format("name its logs: '{}/*.log'", path)
                                                   : "name a log file");
}

struct CloseGz {
  void operator()(gzFile file) const { gzclose(file); }
};

}  // namespace

Result<LogArguments> look_at_logs(const std::vector<std::string>& arguments) {
  LogArguments out;
  for (const std::string& argument : arguments) {
    // The path is part of a source's identity, so it must not depend on the current directory.
    std::error_code error;
    const std::string path = std::filesystem::absolute(argument, error).lexically_normal().string();
    std::error_code exists_error;
    if (!is_glob(argument) || std::filesystem::exists(path, exists_error)) {
      if (auto readable = check_readable(path); !readable) return std::unexpected(readable.error());
      out.paths.push_back(path);
      out.files.push_back(path);
      continue;
    }
    out.paths.push_back(path);
    glob_t found{};
    if (glob(path.c_str(), 0, nullptr, &found) == 0) {
      for (std::size_t i = 0; i < found.gl_pathc; ++i) out.files.emplace_back(found.gl_pathv[i]);
    } else {
      out.empty_globs.push_back(argument);
    }
    globfree(&found);
  }
  return out;
}

Result<std::vector<std::string>> first_lines(const std::string& path, std::size_t max_lines) {
  const std::unique_ptr<gzFile_s, CloseGz> file(gzopen(path.c_str(), "rb"));
  if (!file) return std::unexpected(unreadable(path, errno == 0 ? ENOMEM : errno));
  std::vector<std::string> lines;
  std::string line;
  std::array<char, 8192> buffer{};
  while (lines.size() < max_lines) {
    if (gzgets(file.get(), buffer.data(), static_cast<int>(buffer.size())) == nullptr) break;
    line += buffer.data();
    const bool whole = !line.empty() && line.back() == '\n';
    if (!whole && line.size() < kMaxLineBytes) continue;
    if (whole) line.pop_back();
    lines.push_back(std::move(line));
    line.clear();
  }
  return lines;
}

}  // namespace weir
