// /metrics in Prometheus' text format. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "aggregator/pages/pages.h"
#include "proto/coverage.h"

namespace weir {

using GapBytes = std::map<LossCause, std::uint64_t>;

// `gap_bytes`: nullopt while the store does not answer.
[[nodiscard]] std::string render_metrics(const EngineStatus& engine, const WarnerStatus& warner,
                                         const std::optional<GapBytes>& gap_bytes, std::int64_t now_ms);

}  // namespace weir
