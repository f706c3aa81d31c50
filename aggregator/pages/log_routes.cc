// Routes for logs, agents, and what could not be read.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "aggregator/pages/knowledge.h"
#include "aggregator/pages/routes.h"
#include "aggregator/pages/time_json.h"
#include "aggregator/warn/rules.h"
#include "common/text.h"

namespace weir::routes_of_logs {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxSources = 10'000;
constexpr std::size_t kMaxGapsShown = 100;
constexpr std::size_t kMaxDeadLettersShown = 200;

json gaps_json(const Coverage& coverage) {
  json gaps = json::array();
  for (const Gap& gap : coverage.gaps()) {
    if (gaps.size() == kMaxGapsShown) break;
    gaps.push_back({{"begin", gap.begin},
                    {"end", gap.end},
                    {"cause", to_string(gap.cause)},
                    {"since_ms", time_json(gap.since_ms)}});
  }
  return gaps;
}

}  // namespace

Answer sources(ApiContext& context, const Params&) {
  const auto all = context.pool.with<std::vector<SourceState>>(
      [](Store& store) { return store.all_sources(kMaxSources); });
  if (!all) return error_answer(all.error());
  std::uint64_t gap_total = 0;
  json list = json::array();
  for (const SourceState& source : *all) {
    gap_total += source.coverage.gap_bytes();
    list.push_back({{"id", source.id.hex()},
                    {"agent_id", visible(source.agent_id)},
                    {"host", visible(source.host)},
                    {"input", visible(source.input)},
                    {"path", visible(source.path)},
                    {"origin", source.coverage.origin()},
                    {"high_water", source.coverage.high_water()},
                    {"gaps", gaps_json(source.coverage)},
                    {"gap_count", source.coverage.gaps().size()},
                    {"gap_bytes", source.coverage.gap_bytes()},
                    {"lines", source.lines},
                    {"unparsed", source.unparsed},
                    {"too_long", source.too_long},
                    {"filtered", source.filtered},
                    {"first_seen_ms", time_json(source.first_seen_ms)},
                    {"last_seen_ms", time_json(source.last_seen_ms)}});
  }
  return json_answer({{"gap_bytes", gap_total}, {"sources", std::move(list)}});
}

Answer agents(ApiContext& context, const Params&) {
  const auto all = context.pool.with<std::vector<AgentState>>([](Store& store) { return store.agents(); });
  if (!all) return error_answer(all.error());
  const auto data = context.data_range();
  if (!data) return error_answer(data.error());
  const std::int64_t now_ms = context.now_ms();
  const std::int64_t window_s = context.config.window_s;
  const std::int64_t until_s = now_ms / 1000 / window_s * window_s - window_s;
  std::size_t known = 0;
  std::size_t past = 0;
  json list = json::array();
  for (const AgentState& agent : *all) {
    // An agent silent for a day counts as taken out of service; until then it is missing.
    if (in_service(agent, now_ms)) {
      ++known;
      if (agent.watermark_ms >= until_s * 1000) ++past;
    }
    list.push_back({{"agent_id", visible(agent.agent_id)},
                    {"host", visible(agent.host)},
                    {"instance", fmt::format("{:016x}", agent.instance)},
                    {"last_heartbeat_ms", time_json(agent.last_heartbeat_ms)},
                    {"watermark_ms", time_json(agent.watermark_ms)},
                    {"lag_bytes", agent.lag_bytes},
                    {"in_service", in_service(agent, now_ms)},
                    {"silent", now_ms - agent.last_heartbeat_ms > kAgentSilentAfterMs}});
  }
  json body = {{"now_ms", now_ms}, {"until_s", until_s}, {"known", known}, {"past", past}};
  body["complete_s"] = nullptr;
  if (*data) body["complete_s"] = knowledge_of(**data, *all, now_ms, window_s).complete_s;
  body["agents"] = std::move(list);
  return json_answer(body);
}

Answer dead_letters(ApiContext& context, const Params&) {
  const auto letters = context.pool.with<Traffic::DeadLetters>(
      [](Store& store) { return store.dead_letters(kMaxDeadLettersShown); });
  if (!letters) return error_answer(letters.error());
  json list = json::array();
  for (const DeadLetter& letter : letters->newest) {
    list.push_back({{"topic", letter.partition.topic},
                    {"partition", letter.partition.partition},
                    {"offset", letter.offset},
                    {"line", letter.line},
                    {"source", letter.source},
                    {"reason", visible(letter.reason)},
                    {"text", visible(letter.text)},
                    {"seen_ms", time_json(letter.seen_ms)}});
  }
  return json_answer({{"total", letters->total}, {"newest", std::move(list)}});
}

}  // namespace weir::routes_of_logs
