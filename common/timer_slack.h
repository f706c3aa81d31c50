// Sets how late the kernel may wake a thread in order to combine wake-ups (prctl(2), PR_SET_TIMERSLACK).
#pragma once

#include <chrono>

namespace weir {

// Threads started by the current thread during this object's lifetime keep the slack for their whole life:
// timers may wake them up to `slack` late. A descriptor or another thread still wakes them at once. The
// destructor restores the current thread's own slack.
class TimerSlackOfNewThreads {
 public:
  explicit TimerSlackOfNewThreads(std::chrono::nanoseconds slack);
  ~TimerSlackOfNewThreads();
  TimerSlackOfNewThreads(const TimerSlackOfNewThreads&) = delete;
  TimerSlackOfNewThreads& operator=(const TimerSlackOfNewThreads&) = delete;

 private:
  int before_ns_;
};

// For rd_kafka_new(). Before version 2.1, librdkafka's main thread rounds the time to its next timer down to
// milliseconds. It therefore wakes too early and polls its queue without a pause until the timer is due, half
// a millisecond of every second. Waking it slightly late avoids this.
inline constexpr std::chrono::milliseconds kKafkaTimerSlack{5};

}  // namespace weir
