// Which configuration a program runs with: when it was loaded, and whether a newer one was refused.
// For /health and /metrics of both programs.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <utility>

#include "common/exposition.h"

namespace weir {

struct ReloadState {
  std::int64_t loaded_at_ms = 0;   // the configuration in use
  std::int64_t refused_at_ms = 0;  // the last reload; 0: it was not refused
  std::string refused_because{};   // "agent.toml:3: unknown key ..."; the first mistake of several

  [[nodiscard]] bool refused() const { return refused_at_ms != 0; }
  friend bool operator==(const ReloadState&, const ReloadState&) = default;
};

// For /metrics: config_last_reload_successful and its time, as Prometheus itself names them.
void add_reload_state(Exposition& text, const ReloadState& state);
// For /health: {"loaded_at":"2026-11-23T10:00:00Z"}; with "refused_at" and "refused_because" when it was.
[[nodiscard]] std::string reload_json(const ReloadState& state);
// A sentence for /health: "" when the last reload was taken.
[[nodiscard]] std::string problem_of(const ReloadState& state);

// The state, written by the thread that reloads and read by any other.
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
