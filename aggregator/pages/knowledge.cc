#include "aggregator/pages/knowledge.h"

#include <algorithm>

#include "aggregator/warn/rules.h"
#include "common/moment.h"

namespace weir {
namespace {

constexpr std::int64_t kOutOfServiceAfterMs = 86'400'000;
// With fewer whole steps than this, the step of the first window is drawn, too.
constexpr std::int64_t kEnoughSteps = 2;

std::int64_t ceil_to(std::int64_t value, std::int64_t unit) { return floor_to(value + unit - 1, unit); }

std::int64_t watermark_s(const AgentState& agent, std::int64_t now_ms, std::int64_t window_s) {
  return floor_to(std::clamp<std::int64_t>(agent.watermark_ms, 0, now_ms) / 1000, window_s);
}

// Puts the marks in their order, even if clocks and late lines have mixed them up.
Knowledge ordered(Knowledge known) {
  known.complete_s = std::max(known.complete_s, known.data.first_s);
  known.newest_s = std::max(known.newest_s, known.complete_s);
  known.awaited_s = std::max(known.awaited_s, known.newest_s);
  return known;
}

}  // namespace

bool in_service(const AgentState& agent, std::int64_t now_ms) {
  return now_ms - agent.last_heartbeat_ms <= kOutOfServiceAfterMs;
}

std::vector<AgentState> agents_of_host(std::vector<AgentState> agents, std::string_view host) {
  std::erase_if(agents, [&](const AgentState& agent) { return !host.empty() && agent.host != host; });
  return agents;
}

Knowledge knowledge_of(const DataRange& data, const std::vector<AgentState>& agents, std::int64_t now_ms,
                       std::int64_t window_s) {
  const std::int64_t present_s = floor_to(now_ms / 1000, window_s);  // this window is not over
  Knowledge out{.data = data};
  std::optional<std::int64_t> oldest_s;
  bool heard = false;
  for (const AgentState& agent : agents) {
    if (!in_service(agent, now_ms)) continue;
    const std::int64_t mark_s = watermark_s(agent, now_ms, window_s);
    oldest_s = std::min(oldest_s.value_or(mark_s), mark_s);
    out.newest_s = std::max(out.newest_s, mark_s);
    heard |= now_ms - agent.last_heartbeat_ms <= kAgentSilentAfterMs;
  }
  if (oldest_s) {
    out.complete_s = *oldest_s;
    out.awaited_s = heard ? present_s + window_s : out.newest_s;
    return ordered(out);
  }
  // No agent reports any more, so nothing more is expected. Without agents, lines may still arrive.
  out.complete_s = std::min(data.end_s, present_s - window_s);
  for (const AgentState& agent : agents)
    out.complete_s = std::max(out.complete_s, watermark_s(agent, now_ms, window_s));
  out.awaited_s = data.end_s;
  return ordered(out);
}

DrawnSteps drawn_steps(const Knowledge& known, std::int64_t from_s, std::int64_t to_s, std::int64_t step_s) {
  const std::int64_t first_step_s = floor_to(known.data.first_s, step_s);
  DrawnSteps out{std::max(ceil_to(from_s, step_s), first_step_s),
                 floor_to(std::min(to_s, known.newest_s), step_s)};
  if (out.begin_s == first_step_s && out.end_s - out.begin_s > kEnoughSteps * step_s) out.begin_s += step_s;
  if (out.begin_s < out.end_s) return out;
  // No step is whole: draw what has arrived, over the seconds that it covers.
  out = {floor_to(std::max(from_s, known.data.first_s), step_s),
         ceil_to(std::min(to_s, known.data.end_s), step_s), false};
  return out.begin_s < out.end_s ? out : DrawnSteps{};
}

}  // namespace weir
