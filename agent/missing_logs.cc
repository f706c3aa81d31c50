#include "agent/missing_logs.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <glob.h>

namespace weir {

std::size_t count_files(const InputConfig& input) {
  std::size_t count = 0;
  for (const auto& pattern : input.paths) {
    glob_t found{};
    if (::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0) count += found.gl_pathc;
    ::globfree(&found);
  }
  return count;
}

std::vector<std::string> missing_logs(const AgentConfig& config) {
  std::vector<std::string> out;
  for (const auto& input : config.inputs) {
    if (count_files(input) == 0)
      out.push_back(fmt::format(
          "input {}: no file is at {}; correct its paths, or wait: it is followed once it is there",
          input.name, fmt::join(input.paths, ", ")));
  }
  return out;
}

}  // namespace weir
