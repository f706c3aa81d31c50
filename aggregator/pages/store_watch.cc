#include "aggregator/pages/store_watch.h"

#include <fmt/format.h>

#include <utility>

namespace weir {

void StoreWatch::refresh(std::int64_t now_ms) {
  auto answer = pool_.with<GapBytes>([](Store& store) { return store.gap_bytes(); });
  const std::lock_guard lock(mutex_);
  answer_ = std::move(answer);
  asked_ms_ = now_ms;
}

StoreWatch::View StoreWatch::view(std::int64_t now_ms) const {
  const std::lock_guard lock(mutex_);
  const auto silent_ms = now_ms - (answer_ ? asked_ms_ : started_ms_);
  if (answer_ && !*answer_)
    return {std::nullopt, "pages: " + answer_->error().what + "; " + answer_->error().hint};
  if (!answer_ || silent_ms > kStaleAfterMs) {
    return {std::nullopt,
            fmt::format("pages: the store has not answered for {} s; look at its server and at what locks "
                        "its tables",
                        silent_ms / 1000)};
  }
  return {**answer_, ""};
}

}  // namespace weir
