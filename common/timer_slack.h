// How late the kernel may wake a thread, so that it can combine wake-ups (prctl(2), PR_SET_TIMERSLACK).
#pragma once

#include <chrono>

namespace weir {

// Threads that the current thread starts during this object's lifetime may be woken up to `slack` late by
// their timers, as long as they run. A descriptor or another thread still wakes them at once. The destructor
// restores the current thread's slack.
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
// milliseconds. It wakes too early and then polls its queue without a pause until the timer is due: half a
// millisecond of every second. Woken slightly late, it does not.
inline constexpr std::chrono::milliseconds kKafkaTimerSlack{5};

}  // namespace weir
