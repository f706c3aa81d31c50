#include "agent/troubles.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using ::testing::ElementsAre;

class TroublesTest : public ::testing::Test {
 protected:
  void say(std::int64_t now_ms, std::map<std::string, std::string> more = {}) {
    said_.clear();
    troubles_.say(std::move(more), now_ms, [this](LogLevel level, std::string_view what) {
      EXPECT_EQ(level, LogLevel::kWarning);
      said_.emplace_back(what);
    });
  }
  Troubles troubles_;
  std::vector<std::string> said_;
};

TEST_F(TroublesTest, ATroubleIsSaidAtOnceAndThenOnceAMinute) {
  troubles_.add("/l/a.log", "a is bad");
  say(1000);
  EXPECT_THAT(said_, ElementsAre("a is bad"));
  troubles_.add("/l/b.log", "b is bad");
  say(2000, {{"output", "away"}});
  EXPECT_THAT(said_, ElementsAre("b is bad", "away"));
  say(60'999);
  EXPECT_TRUE(said_.empty());
  say(61'000);
  EXPECT_THAT(said_, ElementsAre("a is bad"));
}

TEST_F(TroublesTest, ALookFindsAnewWhatIsWrongWithFiles) {
  EXPECT_TRUE(troubles_.set_registry("registry is full"));
  EXPECT_FALSE(troubles_.set_registry("registry is full"));
  troubles_.add("/l/a.log", "a is bad");
  troubles_.begin_look();
  EXPECT_THAT(troubles_.sentences(), ElementsAre("registry is full"));
  EXPECT_TRUE(troubles_.set_registry(""));
  EXPECT_TRUE(troubles_.none());
}

TEST_F(TroublesTest, ABoundedNumberIsKept) {
  for (int n = 0; n < 1000; ++n) troubles_.add(std::to_string(n), "bad");
  EXPECT_EQ(troubles_.of_files().size(), Troubles::kMost);
  troubles_.check();
}

}  // namespace
}  // namespace weir
