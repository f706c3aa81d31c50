// Parses what a request asks for: ranges, filters, dimensions, steps. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "aggregator/store/traffic.h"
#include "proto/result.h"

namespace weir {

using Params = std::multimap<std::string, std::string>;

inline constexpr std::int64_t kMaxPoints = 2000;        // in one series
inline constexpr std::size_t kMaxAnswerRows = 100'000;  // in one answer

struct TrafficRequest {
  TrafficQuery query;
  bool by_class = false;   // group by status class, done here
  bool auto_step = false;  // the step depends on the range of the data
};

// Every error names the parameter, its value and the allowed values. Unknown parameters are errors: a
// misspelt filter must not return everything. parse_moment_s reads `from` and `to`.
[[nodiscard]] Result<TrafficRequest> parse_traffic(const Params& params, std::int64_t now_s,
                                                   std::int64_t window_s, bool with_step);
// `known`: "from, to, site". Each parameter must be listed there, and may be given only once.
[[nodiscard]] Result<void> check_params(const Params& params, std::string_view known);
// The length of a step in seconds: a multiple of the window, or 0 for "all". Also used by `report --step`.
[[nodiscard]] Result<std::int64_t> parse_step(std::string_view text, std::int64_t window_s);

// Chooses a round step, a multiple of the window, that gives at most about 300 points.
[[nodiscard]] std::int64_t choose_step(std::int64_t from_s, std::int64_t to_s, std::int64_t window_s);
// kInvalid if [from, to) has more than kMaxPoints steps.
[[nodiscard]] Result<void> check_points(std::int64_t from_s, std::int64_t to_s, std::int64_t step_s);

}  // namespace weir
