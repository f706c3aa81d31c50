// A pool of connections to the store: one for each request in progress, kept for later requests.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "aggregator/store/store.h"

namespace weir {

class StorePool {
 public:
  explicit StorePool(OpenStore open_store) : open_store_(std::move(open_store)) {}

  // Calls `use` with a connection that no one else uses. A connection that failed is not kept. If it was an
  // old one, `use` is called again with a fresh one, so that a restarted server goes unnoticed. `use` only
  // reads, so calling it twice does no harm.
  template <class T, class Use>
  [[nodiscard]] Result<T> with(Use use) {
    for (;;) {
      bool fresh = false;
      auto store = take(fresh);
      if (!store) return std::unexpected(store.error());
      Result<T> result = use(**store);
      const bool broken = !result && result.error().code != Code::kInvalid &&
                          result.error().code != Code::kNotFound && result.error().code != Code::kFull;
      if (!broken) give_back(std::move(*store));
      if (!broken || fresh) return result;
    }
  }

 private:
  [[nodiscard]] Result<std::unique_ptr<Store>> take(bool& fresh) {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        auto store = std::move(idle_.back());
        idle_.pop_back();
        return store;
      }
    }
    fresh = true;
    return open_store_();
  }
  void give_back(std::unique_ptr<Store> store) {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kMaxIdle) idle_.push_back(std::move(store));
  }

  static constexpr std::size_t kMaxIdle = 4;
  OpenStore open_store_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Store>> idle_;
};

}  // namespace weir
