// A clock that advances only when the world says so.
#pragma once

#include "common/clock.h"

namespace weir::sim {

class SimClock : public Clock {
 public:
  [[nodiscard]] std::int64_t wall_ms() const override { return wall_ms_; }
  [[nodiscard]] std::int64_t steady_ms() const override { return steady_ms_; }
  void advance(std::int64_t ms) {
    wall_ms_ += ms;
    steady_ms_ += ms;
  }
  void jump(std::int64_t ms) { wall_ms_ += ms; }  // somebody sets the clock

 private:
  std::int64_t wall_ms_ = 1'795'600'000'000;  // 2026-11-25
  std::int64_t steady_ms_ = 1'000;
};

}  // namespace weir::sim
