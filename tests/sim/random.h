// The simulation's only source of randomness. Small, fast, and the same on every machine.
#pragma once

#include <cstdint>

namespace weir::sim {

// splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next() {
    state_ += 0x9E3779B97F4A7C15ULL;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    return z ^ (z >> 31);
  }
  // [0, bound)
  std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
  bool chance(std::uint64_t percent) { return below(100) < percent; }
  bool per_mille(std::uint64_t rate) { return below(1000) < rate; }

 private:
  std::uint64_t state_;
};

// Thrown where the simulated process dies. It passes through the core, which is then discarded with its
// memory.
struct Crash {};

}  // namespace weir::sim
