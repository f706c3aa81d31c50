// What reloading the configuration changes in a running aggregator. Pure: two configurations in, a plan out.
#pragma once

#include <string>
#include <vector>

#include "aggregator/config.h"

namespace weir {

struct ReloadPlan {
  // The new configuration, except that settings which need a restart keep their old values.
  AggregatorConfig config;
  std::vector<std::string> needs_restart;  // the settings that were changed but keep their old value:
                                           // "pages.listen"
};
// `used_format`: the name of the [format.NAME] that lines are read with, which only a restart can change.
// "": none.
[[nodiscard]] ReloadPlan plan_reload(const AggregatorConfig& running, AggregatorConfig fresh,
                                     const std::string& used_format = {});

}  // namespace weir
