// Inputs that match no file: the paths are wrong, or the logs do not exist yet. The agent cannot know which,
// so it reports this and waits.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "agent/config.h"

namespace weir {

// The number of files, of any kind, that match now.
[[nodiscard]] std::size_t count_files(const InputConfig& input);
// One sentence for each input without files: "input web: no file is at /var/log/nginx/acces.log; ...".
[[nodiscard]] std::vector<std::string> missing_logs(const AgentConfig& config);

}  // namespace weir
