#include "aggregator/pages/routes.h"

#include <array>
#include <nlohmann/json.hpp>

namespace weir {
namespace {

using nlohmann::json;

Answer list_routes(ApiContext&, const Params&) {
  json list = json::array();
  for (const Route& route : routes())
    list.push_back({{"path", route.path}, {"parameters", route.parameters}, {"doc", route.doc}});
  return json_answer({{"routes", std::move(list)}});
}

constexpr std::array kRoutes = {
    Route{"/api/v1", "", list_routes, "This list."},
    Route{"/api/v1/summary", "from, to, site, host", routes_of_traffic::summary,
          "Sums of a range, in total and by site; the range that has data."},
    Route{"/api/v1/traffic", "from, to, step, by, site, host", routes_of_traffic::traffic,
          "Sums by time and by site, host, status or class; which steps are complete."},
    Route{"/api/v1/sites", "", routes_of_traffic::sites, "The names of all sites."},
    Route{"/api/v1/hosts", "", routes_of_traffic::hosts, "The names of all hosts."},
    Route{"/api/v1/sources", "", routes_of_logs::sources, "What is counted of each log, and its gaps."},
    Route{"/api/v1/agents", "", routes_of_logs::agents, "The agents and how far they have shipped."},
    Route{"/api/v1/alerts", "", routes_of_alerts::alerts, "The state of each alert."},
    Route{"/api/v1/alerts/history", "from, to", routes_of_alerts::history,
          "What the alerts did in a range, newest first."},
    Route{"/api/v1/dead-letters", "", routes_of_logs::dead_letters,
          "The newest lines and messages that could not be read."},
    Route{"/health", "", routes_of_health::health, "200 or 503, and a sentence for each problem."},
    Route{"/metrics", "", routes_of_health::metrics, "Prometheus' text format."},
};

}  // namespace

std::span<const Route> routes() { return kRoutes; }

const Route* find_route(std::string_view path) {
  for (const Route& route : kRoutes) {
    if (route.path == path) return &route;
  }
  return nullptr;
}

}  // namespace weir
