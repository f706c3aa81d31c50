// Inputs that follow nothing: the paths are wrong, or the logs are still to come. The agent
// cannot know which, so it says so and waits.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "agent/config.h"

namespace weir {

// Files (of any kind) that match now.
[[nodiscard]] std::size_t count_files(const InputConfig& input);
// One sentence for each input without any: "input web: no file is at /var/log/nginx/acces.log; ...".
[[nodiscard]] std::vector<std::string> missing_logs(const AgentConfig& config);

}  // namespace weir
