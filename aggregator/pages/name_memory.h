// Names that cost a reading of the whole table: asked rarely, answered from memory.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir {

// Any thread.
class NameMemory {
 public:
  static constexpr std::int64_t kFreshForMs = 300'000;

  // nullopt: they must be asked for.
  [[nodiscard]] std::optional<std::vector<std::string>> fresh(std::int64_t now_ms) const {
    const std::lock_guard lock(mutex_);
    if (!names_ || now_ms - asked_ms_ >= kFreshForMs) return std::nullopt;
    return names_;
  }
  void remember(std::vector<std::string> names, std::int64_t now_ms) {
    const std::lock_guard lock(mutex_);
    names_ = std::move(names);
    asked_ms_ = now_ms;
  }

 private:
  mutable std::mutex mutex_;  // of what follows
  std::optional<std::vector<std::string>> names_;
  std::int64_t asked_ms_ = 0;
};

}  // namespace weir
