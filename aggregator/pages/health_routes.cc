// /health and /metrics: what the process knows about itself. They answer at once, even if the store hangs.
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
  const std::optional<ReloadState> reload = context.reload_state();
  if (reload && reload->refused()) problems.push_back(visible(problem_of(*reload)));
  const bool healthy = problems.empty();
  json body = {{"status", healthy ? "ok" : "degraded"}, {"problems", std::move(problems)}};
  if (reload) body["configuration"] = json::parse(reload_json(*reload));
  Answer answer = json_answer(body);
  answer.status = healthy ? 200 : 503;
  return answer;
}

Answer metrics(ApiContext& context, const Params&) {
  const std::int64_t now_ms = context.now_ms();
  return {200, "text/plain; version=0.0.4; charset=utf-8",
          render_metrics({.engine = context.engine(),
                          .warner = context.warner(),
                          .gap_bytes = context.watch.view(now_ms).gap_bytes,
                          .reload = context.reload_state(),
                          .now_ms = now_ms})};
}

}  // namespace weir::routes_of_health
