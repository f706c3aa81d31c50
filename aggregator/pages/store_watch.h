// What /health and /metrics say of the store: what it answered last, and when. They answer at once
// also while the store hangs, which is when somebody looks at them.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "aggregator/pages/store_pool.h"
#include "proto/result.h"

namespace weir {

class StoreWatch {
 public:
  // An answer that is older says nothing any more.
  static constexpr std::int64_t kStaleAfterMs = 15'000;

  struct View {
    std::optional<GapBytes> gap_bytes;  // nullopt: it does not answer
    std::string problem;                // empty: it answers
  };

  StoreWatch(StorePool& pool, std::int64_t now_ms) : pool_(pool), started_ms_(now_ms) {}

  // Asks, for as long as it takes the store. One thread at a time.
  void look(std::int64_t now_ms);
  // Any thread, at once.
  [[nodiscard]] View view(std::int64_t now_ms) const;

 private:
  StorePool& pool_;
  const std::int64_t started_ms_;
  mutable std::mutex mutex_;  // of what follows
  std::optional<Result<GapBytes>> answer_;
  std::int64_t asked_ms_ = 0;  // when the question of that answer was put
};

}  // namespace weir
