// Limits how often a message repeats and counts what it holds back. Pure: the time is an argument.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

struct RateLimits {
  std::int64_t interval_ms = 60'000;  // the same key passes once per interval
  std::size_t max_passed = 600;       // per interval, over all keys; also bounds the memory
};

class RateLimiter {
 public:
  explicit RateLimiter(RateLimits limits = {}) : limits_(limits) {}

  // Whether `key` may pass now. If not, it is counted.
  [[nodiscard]] bool pass(std::string_view key, std::int64_t now_ms);

  struct HeldBack {
    std::string key;  // empty: stands for the keys beyond max_passed
    std::uint64_t count = 0;

    friend bool operator==(const HeldBack&, const HeldBack&) = default;
  };
  // Returns the counts of the keys whose interval is over, each once. Call it before pass().
  [[nodiscard]] std::vector<HeldBack> take_held_back(std::int64_t now_ms);

  // Aborts when an invariant is violated (see proto/must.h).
  void check() const;

 private:
  struct Key {
    std::int64_t passed_ms = 0;
    std::uint64_t held_back = 0;
  };

  RateLimits limits_;
  std::map<std::string, Key, std::less<>> keys_;  // the keys that passed in the last interval
  Key others_;                                    // here passed_ms is when the first of them was held back
};

}  // namespace weir
