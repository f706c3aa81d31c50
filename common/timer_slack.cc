#include "common/timer_slack.h"

#include <sys/prctl.h>

namespace weir {

// If the kernel refuses, the timers keep their slack.
TimerSlackOfNewThreads::TimerSlackOfNewThreads(std::chrono::nanoseconds slack)
    : before_ns_(::prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0)) {
  ::prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(slack.count()), 0, 0, 0);
}

TimerSlackOfNewThreads::~TimerSlackOfNewThreads() {
  if (before_ns_ > 0) ::prctl(PR_SET_TIMERSLACK, static_cast<unsigned long>(before_ns_), 0, 0, 0);
}

}  // namespace weir
