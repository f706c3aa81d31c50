// The JSON API: takes a path and its parameters, returns an answer. Knows nothing about HTTP's wire format.
// The table in routes.cc lists its routes; docs/reference/api.md describes them.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "aggregator/pages/answer.h"
#include "aggregator/pages/pages.h"
#include "aggregator/pages/query.h"
#include "aggregator/pages/route.h"
#include "aggregator/pages/single_flight.h"

namespace weir {

class Api {
 public:
  Api(PagesConfig config, OpenStore open_store, std::function<EngineStatus()> engine,
      std::function<WarnerStatus()> warner, std::function<std::int64_t()> now_ms);

  // Any thread. Never throws, whatever the client sends. Concurrent requests for the same path with the same
  // parameters ask the store once and share the answer.
  [[nodiscard]] Answer get(std::string_view path, const Params& params);
  // Asks the store for what /health and /metrics report about it. Called every few seconds, from one thread.
  void refresh_store_watch() { context_.watch.refresh(context_.now_ms()); }
  // Requests that wait for the answer to another request.
  [[nodiscard]] std::size_t sharing() const { return flight_.waiting(); }

 private:
  ApiContext context_;
  SingleFlight<std::pair<std::string, Params>, Answer> flight_;
};

}  // namespace weir
