// Rounds down to a multiple of a step. Windows, chart steps and days all begin at such multiples.
#pragma once

#include <cstdint>

namespace weir {

// The largest multiple of `step` that is not above `value`. `step` must be positive. Negative values (times
// before 1970) are rounded down too, not towards zero.
[[nodiscard]] constexpr std::int64_t floor_to(std::int64_t value, std::int64_t step) {
  const std::int64_t rest = value % step;
  return value - (rest < 0 ? rest + step : rest);
}

}  // namespace weir
