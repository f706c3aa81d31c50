// The JSON API: a path and its parameters in, an answer out. Knows nothing of HTTP's wire.
// Its routes are the table in routes.cc; docs/reference/api.md describes them.
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

  // Any thread. Never throws on what a stranger sends. Concurrent requests for the same path with the
  // same parameters ask the store once and share the answer.
  [[nodiscard]] Answer get(std::string_view path, const Params& params);
  // Asks the store what /health and /metrics say of it: every few seconds, from one thread.
  void look_at_store() { context_.watch.look(context_.now_ms()); }
  // Requests that wait for the answer to another one's question.
  [[nodiscard]] std::size_t sharing() const { return flight_.waiting(); }

 private:
  ApiContext context_;
  SingleFlight<std::pair<std::string, Params>, Answer> flight_;
};

}  // namespace weir
