// How late the kernel may wake a thread, so that wake-ups can be put together (prctl(2), PR_SET_TIMERSLACK).
#pragma once

#include <chrono>

namespace weir {

// Threads that this one starts while it lives are woken up to `slack` late by their timers, for ever; what
// wakes them otherwise (a descriptor, another thread) does so at once. This thread is as before afterwards.
class TimerSlackOfNewThreads {
 public:
  explicit TimerSlackOfNewThreads(std::chrono::nanoseconds slack);
  ~TimerSlackOfNewThreads();
  TimerSlackOfNewThreads(const TimerSlackOfNewThreads&) = delete;
  TimerSlackOfNewThreads& operator=(const TimerSlackOfNewThreads&) = delete;

 private:
  int before_ns_;
};

// For rd_kafka_new(). The main thread of librdkafka before 2.1 rounds the time to its next timer down to
// milliseconds, wakes as much too early, and then asks its queue without a pause until the time has come:
// for half a millisecond of every second. Woken a little late instead, it does not.
inline constexpr std::chrono::milliseconds kKafkaTimerSlack{5};

}  // namespace weir
