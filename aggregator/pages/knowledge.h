// Up to when the store's windows are complete. Before that, a time without a row is a time without requests;
// after it, the number of requests is unknown. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "aggregator/store/store.h"

namespace weir {

// All windows in the store lie in [first_s, end_s), Unix seconds.
struct DataRange {
  std::int64_t first_s = 0, end_s = 0;
  bool operator==(const DataRange&) const = default;
};

// Nothing is known about the time before the data. data.first_s <= complete_s <= newest_s <= awaited_s, each
// at the start of a window.
struct Knowledge {
  DataRange data;
  std::int64_t complete_s = 0;  // up to here every agent has shipped everything
  std::int64_t newest_s = 0;    // up to here at least one agent has
  std::int64_t awaited_s = 0;   // up to here more may arrive; beyond it no agent has reported
  bool operator==(const Knowledge&) const = default;
};

// `agents`: the relevant ones, of one host or of all. An agent without a heartbeat for a day counts as taken
// out of service, and matters only if no other agent is left. Without agents (messages of other shippers, a
// log that was read once), the windows themselves decide what is known.
[[nodiscard]] Knowledge knowledge_of(const DataRange& data, const std::vector<AgentState>& agents,
                                     std::int64_t now_ms, std::int64_t window_s);
[[nodiscard]] std::vector<AgentState> agents_of_host(std::vector<AgentState> agents, std::string_view host);
[[nodiscard]] bool in_service(const AgentState& agent, std::int64_t now_ms);

// Which steps a chart of [from_s, to_s) draws: [begin_s, end_s), multiples of step_s. A step that is cut by
// the range, the first window or the present would look like a dip or a peak, so it is left out unless there
// is nothing else to draw. Empty (begin_s == end_s): nothing is known about the range.
struct DrawnSteps {
  std::int64_t begin_s = 0, end_s = 0;
  bool whole = true;  // false: only cut steps were there to draw
  bool operator==(const DrawnSteps&) const = default;
};
[[nodiscard]] DrawnSteps drawn_steps(const Knowledge& known, std::int64_t from_s, std::int64_t to_s,
                                     std::int64_t step_s);

}  // namespace weir
