#include "aggregator/signals.h"

#include <csignal>
#include <cstdlib>
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
    for (;;) {
      int received = 0;
      sigwait(&signals, &received);
      if (done_) return;
      if (stopped_.exchange(true)) std::_Exit(128 + received);
      on_stop();
    }
  });
}

SignalWatcher::~SignalWatcher() {
  done_ = true;
  pthread_kill(thread_.native_handle(), SIGINT);  // to it alone: it looks at done_
  thread_.join();
}

}  // namespace weir
