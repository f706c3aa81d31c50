#include "aggregator/pages/api.h"

#include "aggregator/pages/routes.h"

namespace weir {

Result<std::optional<DataRange>> ApiContext::data_range() {
  using Found = std::optional<DataRange>;
  return data_flight.ask(0, [&]() -> Result<Found> {
    const auto span =
        pool.with<std::optional<Traffic::Span>>([](Store& store) { return store.traffic_span(); });
    if (!span) return std::unexpected(span.error());
    if (!*span) return Found();
    return Found({(*span)->first_s, (*span)->last_s + config.window_s});
  });
}

Api::Api(PagesConfig config, OpenStore open_store, std::function<EngineStatus()> engine,
         std::function<WarnerStatus()> warner, std::function<std::int64_t()> now_ms)
    : context_{.config = std::move(config),
               .engine = std::move(engine),
               .warner = std::move(warner),
               .now_ms = std::move(now_ms),
               .pool = StorePool(std::move(open_store)),
               .watch = StoreWatch(context_.pool, context_.now_ms())} {}

Answer Api::get(std::string_view path, const Params& params) {
  const Route* route = find_route(path);
  if (route == nullptr) {
    return error_answer(
        404, "there is no such page",
        "the page is at /, its API is listed at /api/v1 and described in docs/reference/api.md");
  }
  if (const auto known = check_params(params, route->parameters); !known) return error_answer(known.error());
  // Health and metrics do not ask the store, and must answer even if it hangs.
  if (!path.starts_with("/api/")) return route->handler(context_, params);
  return flight_.ask({std::string(path), params}, [&] { return route->handler(context_, params); });
}

}  // namespace weir
