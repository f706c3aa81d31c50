// The time, as an argument: programs take the system's, tests and the simulation their own.
#pragma once

#include <cstdint>

namespace weir {

class Clock {
 public:
  virtual ~Clock() = default;
  // Unix epoch, UTC. For stamps that people and other machines read; it may jump.
  [[nodiscard]] virtual std::int64_t wall_ms() const = 0;
  // Never goes back. For everything that waits.
  [[nodiscard]] virtual std::int64_t steady_ms() const = 0;
};

// Stateless; any thread.
[[nodiscard]] const Clock& system_clock();

}  // namespace weir
