// What /metrics answers. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "aggregator/engine_status.h"
#include "aggregator/store/traffic.h"
#include "aggregator/warn/warner.h"

namespace weir {

// `gap_bytes`: nullopt while the store does not answer.
[[nodiscard]] std::string render_metrics(const EngineStatus& engine, const WarnerStatus& warner,
                                         const std::optional<GapBytes>& gap_bytes, std::int64_t now_ms);

}  // namespace weir
