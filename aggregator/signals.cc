#include "aggregator/signals.h"

#include <csignal>
#include <cstdlib>
#include <ctime>
#include <utility>

namespace weir {

SignalWatcher::SignalWatcher(std::function<void()> on_stop) {
  std::signal(SIGPIPE, SIG_IGN);  // a peer that closes is an error of write(), not our end
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  thread_ = std::thread([this, signals, on_stop = std::move(on_stop)] {
    const timespec interval{0, 100'000'000};
    while (!done_) {
      const int received = sigtimedwait(&signals, nullptr, &interval);
      if (received < 0) continue;
      if (stopped_.exchange(true)) std::_Exit(128 + received);
      on_stop();
    }
  });
}

SignalWatcher::~SignalWatcher() {
  done_ = true;
  thread_.join();
}

}  // namespace weir
