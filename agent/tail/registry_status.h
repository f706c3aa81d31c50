// What the registry knows, for `weir-agent status`: read only, beside a running agent.
#pragma once

#include <string>
#include <vector>

#include "agent/tail/source_status.h"
#include "proto/result.h"

namespace weir {

// kNotFound: no registry there.
[[nodiscard]] Result<std::vector<SourceStatus>> read_registry_status(const std::string& state_dir);

}  // namespace weir
