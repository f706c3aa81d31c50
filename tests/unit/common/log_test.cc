#include "common/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace weir {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class FakeClock : public Clock {
 public:
  [[nodiscard]] std::int64_t wall_ms() const override { return 1'795'428'000'123 + now_ms; }
  [[nodiscard]] std::int64_t steady_ms() const override { return now_ms; }
  std::int64_t now_ms = 0;
};

constexpr std::int64_t kTime = 1'795'428'000'123;

TEST(LogLines, HaveTimeLevelAndProgramOrThePriorityOfTheJournal) {
  const auto line = [](LogLevel level, LogFormat format, bool journal) {
    return log_lines("weir-agent", level, "caf\xC3\xA9 \x1b[2J\xE2\x80\xAE", kTime, format, journal);
  };
  EXPECT_EQ(line(LogLevel::kInfo, LogFormat::kText, false),
            "2026-11-23T10:00:00.123Z info weir-agent: caf\xC3\xA9 \\x1b[2J\\u202e\n");
  EXPECT_EQ(line(LogLevel::kWarning, LogFormat::kText, true), "<4>caf\xC3\xA9 \\x1b[2J\\u202e\n");
  EXPECT_EQ(line(LogLevel::kError, LogFormat::kJson, false),
            "{\"time\":\"2026-11-23T10:00:00.123Z\",\"level\":\"error\",\"program\":\"weir-agent\","
            "\"message\":\"caf\xC3\xA9 \\u001b[2J\\u202e\"}\n");
  EXPECT_THAT(line(LogLevel::kDebug, LogFormat::kJson, true), testing::StartsWith("<7>{"));
}

TEST(LogLines, EachLineOfATextKeepsItsPriority) {
  EXPECT_EQ(log_lines("p", LogLevel::kError, "a\nb", kTime, LogFormat::kText, true), "<3>a\n<3>  b\n");
}

class LogTest : public testing::Test {
 protected:
  Log::Parts parts() {
    return {.journal = true,
            .sink = [this](std::string_view lines) { lines_.emplace_back(lines); },
            .clock = clock_};
  }
  FakeClock clock_;
  std::vector<std::string> lines_;
};

TEST_F(LogTest, WritesNothingBelowItsLevel) {
  Log log("p", {.level = LogLevel::kWarning}, parts());
  log.say(LogLevel::kInfo, "a");
  log.write(LogLevel::kDebug, "b");
  log.say(LogLevel::kWarning, "c");
  log.write_error({Code::kIo, "d", "e"});
  EXPECT_THAT(lines_, ElementsAre("<4>c\n", "<3>d; e\n"));
}

TEST_F(LogTest, SaysTheSameOnceAMinuteAndHowOftenItWasHeldBack) {
  Log log("p", {}, parts());
  for (int i = 0; i < 5; ++i) log.say(LogLevel::kWarning, "broken");
  clock_.now_ms = 59'999;
  log.say(LogLevel::kWarning, "broken");
  EXPECT_THAT(lines_, ElementsAre("<4>broken\n"));
  clock_.now_ms = 60'000;
  log.say(LogLevel::kInfo, "other");
  EXPECT_THAT(lines_, ElementsAre("<4>broken\n", "<4>broken (said 5 more times)\n", "<6>other\n"));
  log.say(LogLevel::kWarning, "broken");
  EXPECT_EQ(lines_.back(), "<4>broken\n");
}

TEST_F(LogTest, AnAnswerToAnOperatorIsNeverHeldBack) {
  Log log("p", {}, parts());
  log.write(LogLevel::kInfo, "configuration loaded again");
  log.write(LogLevel::kInfo, "configuration loaded again");
  EXPECT_EQ(lines_.size(), 2U);
}

TEST_F(LogTest, AFloodOfOneLevelDrownsNoOther) {
  Log log("p", {}, parts());
  for (int i = 0; i < 1000; ++i) log.say(LogLevel::kInfo, "opened " + std::to_string(i));
  EXPECT_EQ(lines_.size(), 600U);
  log.say(LogLevel::kError, "lost");
  EXPECT_EQ(lines_.back(), "<3>lost\n");
  clock_.now_ms = 60'000;
  log.say(LogLevel::kInfo, "later");
  EXPECT_THAT(lines_, testing::Contains("<6>400 more messages were held back: too many at once\n"));
}

TEST_F(LogTest, ThreadsDoNotMixTheirLines) {
  Log log("p", {}, parts());
  const auto say = log.speaker();
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&, t] {
        for (int i = 0; i < 100; ++i) say(LogLevel::kInfo, std::to_string(t) + "/" + std::to_string(i));
      });
  }
  EXPECT_EQ(lines_.size(), 400U);
}

TEST(RateLimiter, KeepsNoMoreKeysThanItsBound) {
  RateLimiter limiter({.interval_ms = 1000, .max_passed = 3});
  int passed = 0;
  for (int i = 0; i < 10; ++i) {
    passed += limiter.pass(std::to_string(i), i) ? 1 : 0;
    limiter.check();
  }
  EXPECT_EQ(passed, 3);
  EXPECT_TRUE(limiter.take_held_back(999).empty());
  EXPECT_THAT(limiter.take_held_back(1003), ElementsAre(RateLimiter::HeldBack{"", 7}));
  EXPECT_TRUE(limiter.pass("0", 1003));
  limiter.check();
}

}  // namespace
}  // namespace weir
