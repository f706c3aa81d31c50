#include "common/timer_slack.h"

#include <gtest/gtest.h>
#include <sys/prctl.h>

#include <thread>

namespace weir {
namespace {

int slack_ns() { return ::prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0); }

int slack_ns_of_a_new_thread() {
  int found = 0;
  std::thread([&] { found = slack_ns(); }).join();
  return found;
}

TEST(TimerSlack, IsOfThreadsThatStartMeanwhileAndOfNoOther) {
  const auto before = slack_ns();
  {
    const TimerSlackOfNewThreads slack(std::chrono::milliseconds(5));
    EXPECT_EQ(slack_ns_of_a_new_thread(), 5'000'000);
  }
  EXPECT_EQ(slack_ns(), before);
  EXPECT_EQ(slack_ns_of_a_new_thread(), before);
}

}  // namespace
}  // namespace weir
