// Holds back what is said again and again, and counts it. Pure: the time is an argument.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

struct RateLimits {
  std::int64_t interval_ms = 60'000;  // the same key passes once in this time
  std::size_t max_passed = 600;       // in this time, of all keys together; also the bound of memory
};

class RateLimiter {
 public:
  explicit RateLimiter(RateLimits limits = {}) : limits_(limits) {}

  // Whether `key` may pass now. What may not is counted.
  [[nodiscard]] bool pass(std::string_view key, std::int64_t now_ms);

  struct HeldBack {
    std::string key;  // empty: of keys beyond max_passed
    std::uint64_t count = 0;

    friend bool operator==(const HeldBack&, const HeldBack&) = default;
  };
  // What was held back of the keys whose interval is over, each once. Call it before pass().
  [[nodiscard]] std::vector<HeldBack> take_held_back(std::int64_t now_ms);

  // Aborts when an invariant is broken (see proto/must.h).
  void check() const;

 private:
  struct Key {
    std::int64_t passed_ms = 0;
    std::uint64_t held_back = 0;
  };

  RateLimits limits_;
  std::map<std::string, Key, std::less<>> keys_;  // that passed in the last interval
  Key others_;                                    // passed_ms: when the first of them was held back
};

}  // namespace weir
