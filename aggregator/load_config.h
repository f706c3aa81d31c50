// Loads the configuration for a sub-command: every mistake is printed.
#pragma once

#include <optional>
#include <string>

#include "aggregator/config.h"

namespace weir {

inline constexpr const char* kProgram = "weir-aggregator";

// nullopt: mistakes, or the file cannot be read; said on stderr. The exit code is kExitConfig.
[[nodiscard]] std::optional<AggregatorConfig> load_or_print(const std::string& path,
                                                            ConfigPurpose purpose = ConfigPurpose::kRun);

}  // namespace weir
