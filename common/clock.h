// Time as an argument: programs pass the system's clock, tests and the simulation their own.
#pragma once

#include <cstdint>

namespace weir {

class Clock {
 public:
  virtual ~Clock() = default;
  // Milliseconds since the Unix epoch. For timestamps that people and other machines read. It may jump.
  [[nodiscard]] virtual std::int64_t wall_ms() const = 0;
  // Milliseconds since some moment. Never goes back. For everything that waits.
  [[nodiscard]] virtual std::int64_t steady_ms() const = 0;
};

// Stateless. Thread: any.
[[nodiscard]] const Clock& system_clock();

}  // namespace weir
