// Rounding down to a step: windows, steps of a chart and days begin where this says.
#pragma once

#include <cstdint>

namespace weir {

// The largest multiple of `step` that is not above `value`; `step` is above zero. Times before 1970 are
// negative and are rounded down, too.
[[nodiscard]] constexpr std::int64_t floor_to(std::int64_t value, std::int64_t step) {
  const std::int64_t rest = value % step;
  return value - (rest < 0 ? rest + step : rest);
}

}  // namespace weir
