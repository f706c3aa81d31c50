// Reads the registry for `weir-agent status`. Read-only, so it works while an agent is running.
#pragma once

#include <string>
#include <vector>

#include "agent/tail/source_status.h"
#include "proto/result.h"

namespace weir {

// kNotFound: there is no registry.
[[nodiscard]] Result<std::vector<SourceStatus>> read_registry_status(const std::string& state_dir);

}  // namespace weir
