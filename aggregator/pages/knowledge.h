// Up to when the store's windows say everything. Where they do, a time without a row is a time
// without requests; where they do not, it is not known. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "aggregator/store/store.h"

namespace weir {

// The windows that the store has lie in [first_s, end_s), Unix seconds.
struct DataRange {
  std::int64_t first_s = 0, end_s = 0;
  bool operator==(const DataRange&) const = default;
};

// Nothing is known of what was before the data. data.first_s <= complete_s <= newest_s <= awaited_s, each
// at the begin of a window.
struct Knowledge {
  DataRange data;
  std::int64_t complete_s = 0;  // before it every agent has shipped everything
  std::int64_t newest_s = 0;    // before it at least one agent has
  std::int64_t awaited_s = 0;   // before it more may come; after it no agent reported
  bool operator==(const Knowledge&) const = default;
};

// `agents`: those that matter, of one host or all. An agent without a heartbeat for a day was taken out
// of service: it counts only when no other one is left. Without agents (other shippers' messages, a log
// that was read once) the windows themselves are what is known.
[[nodiscard]] Knowledge knowledge_of(const DataRange& data, const std::vector<AgentState>& agents,
                                     std::int64_t now_ms, std::int64_t window_s);
[[nodiscard]] std::vector<AgentState> agents_of_host(std::vector<AgentState> agents, std::string_view host);
[[nodiscard]] bool in_service(const AgentState& agent, std::int64_t now_ms);

// The steps of a chart of [from_s, to_s): [begin_s, end_s), multiples of step_s. A step that the range,
// the first window or the present cuts would show as a dip or a peak; it is left out unless there is
// nothing else to draw. Empty (begin_s == end_s): nothing is known of the range.
struct DrawnSteps {
  std::int64_t begin_s = 0, end_s = 0;
  bool whole = true;  // false: there was nothing else to draw
  bool operator==(const DrawnSteps&) const = default;
};
[[nodiscard]] DrawnSteps drawn_steps(const Knowledge& known, std::int64_t from_s, std::int64_t to_s,
                                     std::int64_t step_s);

}  // namespace weir
