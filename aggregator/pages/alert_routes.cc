// The alerts: their state now, and what they were.
#include <nlohmann/json.hpp>

#include "aggregator/pages/routes.h"

namespace weir::routes_of_alerts {

using nlohmann::json;

Answer alerts(ApiContext& context, const Params&) {
  const auto states = context.pool.with<std::vector<AlertState>>([](Store& store) { return store.alerts(); });
  if (!states) return error_answer(states.error());
  std::size_t firing = 0;
  json list = json::array();
  for (const AlertState& state : *states) {
    if (state.phase == AlertPhase::kFiring) ++firing;
    list.push_back({{"rule", state.rule},
                    {"subject", state.subject},
                    {"state", to_string(state.phase)},
                    {"since_s", state.since_s},
                    {"value", state.value}});
  }
  const WarnerStatus warner = context.warner();
  return json_answer({{"firing", firing},
                      {"alerts", std::move(list)},
                      {"mails_waiting", warner.mails_waiting},
                      {"mails_delivered", warner.mails_delivered},
                      {"problem", warner.problem}});
}

}  // namespace weir::routes_of_alerts
