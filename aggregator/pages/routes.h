// Every path of the API. To add one: a row in routes.cc, a handler, a section in docs/reference/api.md, and a
// test in tests/unit/pages (docs/extending.md).
#pragma once

#include <span>
#include <string_view>

#include "aggregator/pages/route.h"

namespace weir {

[[nodiscard]] std::span<const Route> routes();
[[nodiscard]] const Route* find_route(std::string_view path);  // nullptr: unknown path

// The handlers, grouped by what they read.
namespace routes_of_traffic {
[[nodiscard]] Answer summary(ApiContext& context, const Params& params);
[[nodiscard]] Answer traffic(ApiContext& context, const Params& params);
[[nodiscard]] Answer sites(ApiContext& context, const Params& params);
[[nodiscard]] Answer hosts(ApiContext& context, const Params& params);
}  // namespace routes_of_traffic

namespace routes_of_logs {
[[nodiscard]] Answer sources(ApiContext& context, const Params& params);
[[nodiscard]] Answer agents(ApiContext& context, const Params& params);
[[nodiscard]] Answer dead_letters(ApiContext& context, const Params& params);
}  // namespace routes_of_logs

namespace routes_of_alerts {
[[nodiscard]] Answer alerts(ApiContext& context, const Params& params);
[[nodiscard]] Answer history(ApiContext& context, const Params& params);
}  // namespace routes_of_alerts

namespace routes_of_health {
[[nodiscard]] Answer health(ApiContext& context, const Params& params);
[[nodiscard]] Answer metrics(ApiContext& context, const Params& params);
}  // namespace routes_of_health

}  // namespace weir
