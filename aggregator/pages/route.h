// A route of the API: one row of the table in routes.cc.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "aggregator/pages/answer.h"
#include "aggregator/pages/knowledge.h"
#include "aggregator/pages/metrics.h"
#include "aggregator/pages/pages.h"
#include "aggregator/pages/query.h"
#include "aggregator/pages/single_flight.h"
#include "aggregator/pages/store_pool.h"
#include "aggregator/pages/store_watch.h"

namespace weir {

// What handlers answer from. Any thread.
struct ApiContext {
  PagesConfig config;
  std::function<EngineStatus()> engine;
  std::function<WarnerStatus()> warner;
  std::function<std::int64_t()> now_ms;
  StorePool pool;
  StoreWatch watch;
  SingleFlight<int, Result<std::optional<DataRange>>> data_flight{};

  // nullopt: the program was started without a configuration.
  [[nodiscard]] std::optional<ReloadState> reload_state() const {
    return config.reload_state ? std::optional(config.reload_state()) : std::nullopt;
  }
  [[nodiscard]] std::int64_t now_s() const { return now_ms() / 1000; }
  // The range of all windows, from two index look-ups. nullopt: there are none.
  [[nodiscard]] Result<std::optional<DataRange>> data_range();
};

struct Route {
  std::string_view path;
  std::string_view parameters;  // "from, to, site": others are refused before the handler is called
  Answer (*handler)(ApiContext& context, const Params& params);
  std::string_view doc;  // one line, listed by GET /api/v1
};

}  // namespace weir
