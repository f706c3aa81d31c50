// /health and /metrics: what the process knows of itself, at once, also while the store hangs.
#include <nlohmann/json.hpp>

#include "aggregator/pages/routes.h"
#include "common/text.h"

namespace weir::routes_of_health {

using nlohmann::json;

Answer health(ApiContext& context, const Params&) {
  json problems = json::array();
  for (const std::string& problem : {context.engine().problem, context.warner().problem}) {
    if (!problem.empty()) problems.push_back(visible(problem));
  }
  if (const auto view = context.watch.view(context.now_ms()); !view.problem.empty())
    problems.push_back(visible(view.problem));
  const bool healthy = problems.empty();
  Answer answer = json_answer({{"status", healthy ? "ok" : "degraded"}, {"problems", std::move(problems)}});
  answer.status = healthy ? 200 : 503;
  return answer;
}

Answer metrics(ApiContext& context, const Params&) {
  const std::int64_t now_ms = context.now_ms();
  return {200, "text/plain; version=0.0.4; charset=utf-8",
          render_metrics(context.engine(), context.warner(), context.watch.view(now_ms).gap_bytes, now_ms)};
}

}  // namespace weir::routes_of_health
