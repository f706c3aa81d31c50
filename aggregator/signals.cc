#include "aggregator/signals.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <utility>

namespace weir {

namespace {

// Whether the process has a working controlling terminal.
bool has_terminal() {
  const int terminal = ::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (terminal < 0) return false;
  ::close(terminal);
  return true;
}

sigset_t watched_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, number);
  return signals;
}

}  // namespace

void block_signals() {
  std::signal(SIGPIPE, SIG_IGN);  // a peer that closes makes write() fail; it must not kill us
  const sigset_t signals = watched_signals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

SignalWatcher::SignalWatcher(std::function<void()> on_stop, std::function<void()> on_reload)
    : on_stop_(std::move(on_stop)), on_reload_(std::move(on_reload)), had_terminal_(has_terminal()) {
  block_signals();
  thread_ = std::thread([this] {
    const sigset_t signals = watched_signals();
    for (;;) {
      int received = 0;
      sigwait(&signals, &received);
      if (done_) return;
      handle(received);
    }
  });
}

void SignalWatcher::handle(int received) {
  if (received == SIGHUP && on_reload_ && !(had_terminal_ && !has_terminal())) {
    on_reload_();
    return;
  }
  if (stopped_.exchange(true)) std::_Exit(128 + received);
  on_stop_();
}

SignalWatcher::~SignalWatcher() {
  done_ = true;
  pthread_kill(thread_.native_handle(), SIGINT);  // to that thread alone, which then checks done_
  thread_.join();
}

}  // namespace weir
