#include "aggregator/settle/agent_conflicts.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace weir {
namespace {

constexpr std::size_t kMaxKnownAgents = 100'000;
constexpr std::size_t kMaxSentences = 10;
constexpr std::int64_t kConflictMemoryMs = 10 * 60 * 1000;

}  // namespace

void AgentConflicts::note(const BatchHeader& header, std::int64_t now_ms) {
  auto it = agents_.find(header.agent_id);
  if (it == agents_.end()) {
    if (agents_.size() >= kMaxKnownAgents) return;
    it = agents_.emplace(header.agent_id, std::vector<Claim>{}).first;
  }
  auto& claims = it->second;
  const auto same = std::find_if(claims.begin(), claims.end(),
                                 [&](const auto& claim) { return claim.instance == header.instance; });
  if (same != claims.end()) {
    same->host = header.host;
    same->seen_ms = now_ms;
    return;
  }
  Claim claim{header.instance, header.host, now_ms};
  if (claims.size() < 2) {
    claims.push_back(std::move(claim));
    return;
  }
  *std::min_element(claims.begin(), claims.end(),
                    [](const auto& a, const auto& b) { return a.seen_ms < b.seen_ms; }) = std::move(claim);
}

std::vector<std::string> AgentConflicts::sentences(std::int64_t now_ms) const {
  std::vector<std::string> out;
  for (const auto& [id, claims] : agents_) {
    if (claims.size() < 2 || claims[0].host == claims[1].host) continue;
    if (std::min(claims[0].seen_ms, claims[1].seen_ms) < now_ms - kConflictMemoryMs) continue;
    out.push_back(fmt::format(
        "hosts {} and {} both use the agent id \"{}\" (a cloned machine?); give each its own [agent] id",
        claims[0].host, claims[1].host, id));
    if (out.size() >= kMaxSentences) break;
  }
  return out;
}

}  // namespace weir
