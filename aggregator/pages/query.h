// What a request asks for: ranges, filters, dimensions, steps. Pure.
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

inline constexpr std::int64_t kMaxPoints = 2000;        // of one series
inline constexpr std::size_t kMaxAnswerRows = 100'000;  // of one answer

struct TrafficRequest {
  TrafficQuery query;
  bool by_class = false;   // status classes, folded here
  bool auto_step = false;  // the range of the data decides
};

// Every error names the parameter, its value and what it may be. Unknown parameters are errors: a misspelt
// filter must not answer with everything. `from` and `to`: what parse_moment_s reads.
[[nodiscard]] Result<TrafficRequest> parse_traffic(const Params& params, std::int64_t now_s,
                                                   std::int64_t window_s, bool with_step);
// `known`: "from, to, site". Each parameter must be one of them, and be given once.
[[nodiscard]] Result<void> check_params(const Params& params, std::string_view known);
// The length of a step in seconds: a multiple of the window, or 0 for "all". Also for `report --step`.
[[nodiscard]] Result<std::int64_t> parse_step(std::string_view text, std::int64_t window_s);

// A round step, a multiple of the window, with at most about 300 points.
[[nodiscard]] std::int64_t choose_step(std::int64_t from_s, std::int64_t to_s, std::int64_t window_s);
// kInvalid when [from, to) has more than kMaxPoints steps.
[[nodiscard]] Result<void> check_points(std::int64_t from_s, std::int64_t to_s, std::int64_t step_s);

}  // namespace weir
