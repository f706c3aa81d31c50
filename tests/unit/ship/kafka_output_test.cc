// Without a broker, and with librdkafka's mock broker.
#include "agent/ship/kafka_output.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <functional>

#include "tests/unit/mock_kafka.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using Clock = std::chrono::steady_clock;

constexpr auto kDeadline = 20s;
// A request to a broker waits up to a second. A call without one takes microseconds; the margin is for a busy
// machine.
constexpr auto kLongestCall = 400ms;

std::unique_ptr<Output> output_to(const std::string& brokers) {
  OutputConfig config;
  config.kafka.brokers = {brokers};
  config.kafka.topic = "access";
  auto output = KafkaOutput::create(config, {}, 1 << 20);
  EXPECT_TRUE(output.has_value()) << (output ? "" : output.error().what);
  return output ? std::move(*output) : nullptr;
}

Clock::duration time_of(const std::function<void()>& call) {
  const auto begin = Clock::now();
  call();
  return Clock::now() - begin;
}

// Does what the loop does until `fact` holds. Returns the duration of the longest call.
Clock::duration loop_until(Output& output, const std::function<bool()>& fact) {
  output.set_on_settled([](std::uint64_t, const Error*) {});
  Clock::duration longest{};
  bool holds = false;
  for (const auto deadline = Clock::now() + kDeadline; !holds && Clock::now() < deadline;) {
    longest = std::max(longest, time_of([&] {
                         output.poll();
                         std::ignore = output.partition_count(0);
                       }));
    holds = fact();
    pollfd ready{.fd = output.readable_fd(), .events = POLLIN, .revents = 0};
    if (!holds) ::poll(&ready, 1, 100);
  }
  EXPECT_TRUE(holds) << output.status().blocked_because;
  return longest;
}

TEST(KafkaOutput, WithoutABrokerNoCallOfTheLoopWaits) {
  auto output = output_to("127.0.0.1:1");
  ASSERT_NE(output, nullptr);
  const auto longest = loop_until(
      *output, [&] { return output->status().blocked_because.find("127.0.0.1:1") != std::string::npos; });
  EXPECT_LT(longest, kLongestCall);
  EXPECT_EQ(output->partition_count(0), 0);
  EXPECT_FALSE(output->status().connected);
  EXPECT_LT(time_of([&] { output.reset(); }), 2 * kLongestCall) << "to stop takes no longer";
}

TEST(KafkaOutput, KnowsThePartitionsOnceABrokerHasAnswered) {
  const testing::MockKafka kafka("access", 3);
  const auto output = output_to(kafka.brokers());
  ASSERT_NE(output, nullptr);
  const auto longest = loop_until(*output, [&] { return output->partition_count(0) == 3; });
  EXPECT_LT(longest, kLongestCall);
  EXPECT_TRUE(output->status().connected);
  EXPECT_EQ(output->status().blocked_because, "");
}

TEST(KafkaOutput, FindsABrokerThatComesLater) {
  testing::MockKafka kafka("access", 2);
  kafka.set_up(false);
  const auto output = output_to(kafka.brokers());
  ASSERT_NE(output, nullptr);
  loop_until(*output, [&] { return !output->status().blocked_because.empty(); });
  EXPECT_EQ(output->partition_count(0), 0);
  kafka.set_up(true);
  loop_until(*output, [&] { return output->partition_count(0) == 2; });
  EXPECT_EQ(output->status().blocked_because, "");
}

}  // namespace
}  // namespace weir
