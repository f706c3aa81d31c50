// Produces the answer of /metrics. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "aggregator/engine_status.h"
#include "aggregator/store/traffic.h"
#include "aggregator/warn/warner.h"
#include "common/reload_state.h"

namespace weir {

struct AggregatorFacts {
  EngineStatus engine;
  WarnerStatus warner;
  std::optional<GapBytes> gap_bytes{};  // nullopt: the store does not answer
  std::optional<ReloadState> reload{};  // nullopt: started without a configuration
  std::int64_t now_ms = 0;
};
[[nodiscard]] std::string render_metrics(const AggregatorFacts& facts);

}  // namespace weir
