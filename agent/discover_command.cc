// weir-agent discover: reads nginx.conf and prints the inputs for agent.toml.
#include <fmt/format.h>
#include <glob.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "agent/commands.h"
#include "agent/format/nginx_conf.h"
#include "common/exit_codes.h"
#include "common/text.h"

namespace weir {
namespace {

constexpr std::size_t kMaxFileBytes = 16U << 20;

Result<std::string> read_text(const std::string& path) {
  const auto unreadable = [&](int error) {
    return fail(error == ENOENT ? Code::kNotFound : Code::kIo,
                fmt::format("{} cannot be read: {}", path, std::strerror(error)),
                error == ENOENT ? "name the file: --nginx-conf FILE" : "run as a user who may read it");
  };
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) return unreadable(EISDIR);
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"), std::fclose);
  if (!file) return unreadable(errno);
  std::string text;
  std::string chunk(64 << 10, '\0');
  while (const std::size_t got = std::fread(chunk.data(), 1, chunk.size(), file.get())) {
    text.append(chunk, 0, got);
    if (text.size() > kMaxFileBytes) return unreadable(EFBIG);
  }
  if (std::ferror(file.get()) != 0) return unreadable(EIO);
  return text;
}

std::vector<std::string> expand_glob(const std::string& pattern) {
  std::vector<std::string> out;
  glob_t found{};
  if (glob(pattern.c_str(), 0, nullptr, &found) == 0) {
    out.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  }
  globfree(&found);
  return out;
}

// Explains how to add the output to the active configuration.
std::string head_comment(const std::string& nginx_conf) {
  return fmt::format(
      "# The access logs of {}, found by weir-agent discover. Save this as conf.d/nginx.toml beside an\n"
      "# agent.toml that has include = [\"conf.d/*.toml\"] and no [[input]] for the same logs.\n\n",
      visible(nginx_conf));
}

}  // namespace

int discover_command(const std::string& nginx_conf) {
  namespace fs = std::filesystem;
  std::error_code error;
  const fs::path path = fs::absolute(nginx_conf.empty() ? "/etc/nginx/nginx.conf" : nginx_conf, error);
  NginxPlaces places;
  // nginx itself uses PREFIX/conf/nginx.conf. Packages put the file directly into the prefix.
  const fs::path directory = path.parent_path();
  const bool own_layout = directory.filename() == "conf";
  places.log_prefix = own_layout ? directory.parent_path().string() : directory.string();
  places.default_log = own_layout ? places.log_prefix + "/logs/access.log" : "/var/log/nginx/access.log";
  const auto logs = read_nginx_conf(path.string(), places, {read_text, expand_glob});
  if (!logs) {
    print_error("weir-agent", logs.error());
    return kExitInput;
  }
  const std::string toml = head_comment(path.string()) + inputs_toml(*logs);
  if (std::fwrite(toml.data(), 1, toml.size(), stdout) != toml.size() || std::fflush(stdout) != 0) {
    print_error("weir-agent",
                Error{Code::kIo, fmt::format("stdout cannot be written: {}", std::strerror(errno)), ""});
    return kExitFailed;
  }
  if (logs->logs.empty()) {
    print_error("weir-agent",
                Error{Code::kNotFound, fmt::format("{}: nginx writes no access log to a file", path.string()),
                      "add an access_log to its http block"});
    return kExitInput;
  }
  return kExitOk;
}

}  // namespace weir
