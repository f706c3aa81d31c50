// Routes for alerts: their current state and their history.
#include <limits>
#include <nlohmann/json.hpp>

#include "aggregator/pages/routes.h"

namespace weir::routes_of_alerts {

using nlohmann::json;

namespace {

std::uint64_t count_of(const std::string& channel, const std::map<std::string, std::uint64_t>& by_channel) {
  const auto found = by_channel.find(channel);
  return found == by_channel.end() ? 0 : found->second;
}

}  // namespace

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
                      {"mails_waiting", count_of("mail", warner.waiting)},
                      {"mails_delivered", count_of("mail", warner.delivered)},
                      {"waiting", warner.waiting},
                      {"delivered", warner.delivered},
                      {"problem", warner.problem}});
}

Answer history(ApiContext& context, const Params& params) {
  constexpr std::size_t kMaxEventsShown = 1000;
  const auto request = parse_traffic(params, context.now_s(), context.config.window_s, false);
  if (!request) return error_answer(request.error());
  const std::int64_t from_s = request->query.from_s.value_or(std::numeric_limits<std::int64_t>::min());
  const std::int64_t to_s = request->query.to_s.value_or(std::numeric_limits<std::int64_t>::max());
  auto events = context.pool.with<std::vector<AlertEvent>>(
      [&](Store& store) { return store.history(from_s, to_s, kMaxEventsShown + 1); });
  if (!events) return error_answer(events.error());
  const bool more = events->size() > kMaxEventsShown;
  if (more) events->resize(kMaxEventsShown);
  json list = json::array();
  for (const AlertEvent& event : *events) {
    list.push_back({{"at_s", event.at_s},
                    {"rule", event.rule},
                    {"subject", event.subject},
                    {"state", to_string(event.phase)},
                    {"value", event.value},
                    {"severity", event.severity},
                    {"text", event.text}});
  }
  return json_answer({{"events", std::move(list)}, {"more", more}});
}

}  // namespace weir::routes_of_alerts
