// The state of the configuration in use: when it was loaded, and whether a newer one was refused. For /health
// and /metrics of both programs.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

#include "common/exposition.h"

namespace weir {

struct ReloadState {
  std::int64_t loaded_at_ms = 0;   // when the configuration in use was loaded
  std::int64_t refused_at_ms = 0;  // when the last reload was refused; 0: it was not
  std::string refused_because{};   // "agent.toml:3: unknown key ..."; the first of several mistakes

  [[nodiscard]] bool refused() const { return refused_at_ms != 0; }
  friend bool operator==(const ReloadState&, const ReloadState&) = default;
};

// For /metrics: config_last_reload_successful and the time of the last success, named as Prometheus names its
// own.
void add_reload_state(Exposition& text, const ReloadState& state);
// For /health: {"loaded_at":"2026-11-23T10:00:00Z"}, plus "refused_at" and "refused_because" after a refusal.
[[nodiscard]] std::string reload_json(const ReloadState& state);
// A sentence for /health; "" when the last reload succeeded.
[[nodiscard]] std::string problem_of(const ReloadState& state);

// Shares the state: the reloading thread writes it, any thread may read it.
class SharedReloadState {
 public:
  explicit SharedReloadState(std::int64_t loaded_at_ms) { state_.loaded_at_ms = loaded_at_ms; }
  void loaded(std::int64_t now_ms) { set({now_ms, 0, {}}); }
  void refused(std::int64_t now_ms, std::string because) {
    const std::lock_guard lock(mutex_);
    state_.refused_at_ms = now_ms;
    state_.refused_because = std::move(because);
  }
  [[nodiscard]] ReloadState get() const {
    const std::lock_guard lock(mutex_);
    return state_;
  }

 private:
  void set(ReloadState state) {
    const std::lock_guard lock(mutex_);
    state_ = std::move(state);
  }
  mutable std::mutex mutex_;
  ReloadState state_;  // GUARDED_BY(mutex_)
};

}  // namespace weir
