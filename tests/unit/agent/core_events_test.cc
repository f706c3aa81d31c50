// What the core says when something happens to a file.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/core.h"
#include "tests/unit/agent/core_test_parts.h"

namespace weir {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string truncated_after(std::size_t bytes) {
  return "/l/a.log: truncated or overwritten after " + std::to_string(bytes) + " bytes of it were read";
}

TEST_F(AgentCoreTest, AFileThatIsTruncatedWhileItIsFollowedIsSaidOnce) {
  const auto log = files_.create("/l/a.log");
  files_.append(log, line(1) + line(2));
  start();
  run();
  files_.truncate(log);
  files_.append(log, line(3));
  run(20'000);
  EXPECT_THAT(events_,
              ElementsAre("/l/a.log: opened, reading from byte 0", truncated_after(2 * line(1).size()),
                          "/l/a.log: opened, reading from byte 0"));
}

TEST_F(AgentCoreTest, AFileThatIsOverwrittenIsSaidAsIfItWereTruncated) {
  const auto log = files_.create("/l/a.log");
  files_.append(log, line(1));
  start();
  run();
  files_.truncate(log);
  files_.append(log, line(2) + line(3));  // longer than what was read
  run(20'000);
  EXPECT_THAT(events_, Contains(truncated_after(line(1).size())));
}

TEST_F(AgentCoreTest, ACopyThatTakesOverIsSaidAfterTheTruncation) {
  config_.inputs[0].paths.emplace_back("/l/a.log.*");
  const auto log = files_.create("/l/a.log");
  files_.append(log, line(1));
  start();
  run();
  files_.append(log, line(2));
  files_.append(files_.create("/l/a.log.1"), log->bytes);
  files_.truncate(log);
  run(20'000);
  ASSERT_GE(events_.size(), 3U);
  EXPECT_EQ(events_[1], truncated_after(line(1).size()));
  EXPECT_EQ(events_[2], "/l/a.log: continues in /l/a.log.1");
  EXPECT_THAT(said_, IsEmpty()) << "nothing is lost";
}

}  // namespace
}  // namespace weir
