// Delivers signals as calls on a thread of their own: no code runs in a signal handler.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace weir {

// Blocks the signals that SignalWatcher waits for, in this thread and in threads it starts later. Call it
// before starting the first thread that must not receive them. Signals that arrive before the watcher starts
// are kept for it.
void block_signals();

class SignalWatcher {
 public:
  // `on_stop` is called at the first SIGINT or SIGTERM; a second one ends the process at once. `on_reload` is
  // called at SIGHUP. If the terminal is gone, or without `on_reload`, SIGHUP stops the process.
  explicit SignalWatcher(std::function<void()> on_stop, std::function<void()> on_reload = nullptr);
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;
  [[nodiscard]] bool stopped() const { return stopped_; }

 private:
  void handle(int received);

  std::function<void()> on_stop_, on_reload_;
  const bool had_terminal_;
  std::atomic<bool> stopped_ = false;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

}  // namespace weir
