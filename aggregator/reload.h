// What a reload of the configuration changes in a running aggregator. Pure: two configurations in, a
// plan out.
#pragma once

#include <string>
#include <vector>

#include "aggregator/config.h"

namespace weir {

struct ReloadPlan {
  // The new configuration, with the old values of what needs a restart.
  AggregatorConfig config;
  std::vector<std::string> needs_restart;  // what was changed and keeps its old value: "pages.listen"
};
[[nodiscard]] ReloadPlan plan_reload(const AggregatorConfig& running, AggregatorConfig fresh);

}  // namespace weir
