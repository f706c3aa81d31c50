// What /health and /metrics report about the store: its last answer, and the time of that answer. Thus they
// answer at once even if the store hangs, which is when people check them.
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
  // An answer older than this says nothing about the present.
  static constexpr std::int64_t kStaleAfterMs = 15'000;

  struct View {
    std::optional<GapBytes> gap_bytes;  // nullopt: the store does not answer
    std::string problem;                // empty: the store answers
  };

  StoreWatch(StorePool& pool, std::int64_t now_ms) : pool_(pool), started_ms_(now_ms) {}

  // Asks the store and waits for the answer. One thread at a time.
  void refresh(std::int64_t now_ms);
  // Any thread. Never waits for the store.
  [[nodiscard]] View view(std::int64_t now_ms) const;

 private:
  StorePool& pool_;
  const std::int64_t started_ms_;
  mutable std::mutex mutex_;  // guards the members below
  std::optional<Result<GapBytes>> answer_;
  std::int64_t asked_ms_ = 0;  // when the last answer was requested
};

}  // namespace weir
