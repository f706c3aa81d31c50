// The LOG arguments of `local`: files and globs, checked once before the agent follows them.
#pragma once

#include <string>
#include <vector>

#include "proto/result.h"

namespace weir {

struct LogArguments {
  std::vector<std::string> paths;  // absolute, for the agent
  std::vector<std::string> files;  // those that exist now
  std::vector<std::string> empty_globs;
};
// Errors: a named file is missing, unreadable, or not a regular file.
[[nodiscard]] Result<LogArguments> look_at_logs(const std::vector<std::string>& arguments);

// The first `max_lines` lines, each cut at 64 KiB. Files ending in .gz are decompressed.
[[nodiscard]] Result<std::vector<std::string>> first_lines(const std::string& path, std::size_t max_lines);

}  // namespace weir
