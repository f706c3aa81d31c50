// Time as an argument: programs pass the system's clock, tests and the simulation pass their own.
#pragma once

#include <cstdint>

namespace weir {

class Clock {
 public:
  virtual ~Clock() = default;
  // Milliseconds since the Unix epoch, for timestamps that people or other machines read. May jump.
  [[nodiscard]] virtual std::int64_t wall_ms() const = 0;
  // Milliseconds since an arbitrary moment. Never goes back. For every timeout and pause.
  [[nodiscard]] virtual std::int64_t steady_ms() const = 0;
};

// Stateless. Thread: any.
[[nodiscard]] const Clock& system_clock();

}  // namespace weir
