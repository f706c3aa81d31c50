// SIGINT and SIGTERM as a call on a thread of their own: no code runs in a signal handler.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace weir {

class SignalWatcher {
 public:
  // Threads that are to leave signals alone are made after it: they inherit the mask. `on_stop` is called at
  // the first signal; a second one ends the process at once.
  explicit SignalWatcher(std::function<void()> on_stop);
  ~SignalWatcher();
  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;
  [[nodiscard]] bool stopped() const { return stopped_; }

 private:
  std::atomic<bool> stopped_ = false;
  std::atomic<bool> done_ = false;
  std::thread thread_;
};

}  // namespace weir
