// The LOG arguments of `local`: files and globs, looked at once before the agent follows them.
#pragma once

#include <string>
#include <vector>

#include "proto/result.h"

namespace weir {

struct LogArguments {
  std::vector<std::string> paths;  // absolute, as the agent takes them
  std::vector<std::string> files;  // that exist now
  std::vector<std::string> empty_globs;
};
// Errors: a file that is named and missing, not readable, or no file.
[[nodiscard]] Result<LogArguments> look_at_logs(const std::vector<std::string>& arguments);

// The first `max_lines` whole lines (each cut at 64 KiB); .gz is decompressed.
[[nodiscard]] Result<std::vector<std::string>> first_lines(const std::string& path, std::size_t max_lines);

}  // namespace weir
