// Loads the configuration for a sub-command and prints every mistake.
#pragma once

#include <optional>
#include <string>

#include "aggregator/config.h"

namespace weir {

inline constexpr const char* kProgram = "weir-aggregator";

// nullopt: the file has mistakes or cannot be read; stderr says why. The exit code is then kExitConfig.
[[nodiscard]] std::optional<AggregatorConfig> load_or_print(const std::string& path,
                                                            ConfigPurpose purpose = ConfigPurpose::kRun);

}  // namespace weir
