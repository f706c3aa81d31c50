// `weir-agent status`: each source, and each route where there are several.
#include <gmock/gmock.h>

#include "agent/commands.h"
#include "agent/tail/registry.h"
#include "common/exit_codes.h"
#include "tests/unit/agent/command_test_parts.h"

namespace weir {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<RouteConfig> kBoth = {
    {.codec = Codec::kBatch, .topic = "weir", .topic_key = "topic"},
    {.codec = Codec::kWindows, .topic = "sums", .topic_key = "windows_topic"}};

class StatusCommand : public CommandTest {
 protected:
  // Two logs of 1000 bytes. Of the first the windows are behind, of the second nothing.
  void SetUp() override {
    auto registry = Registry::open(path("state"));
    ASSERT_TRUE(registry);
    for (const std::string name : {"a.log", "b.log"}) {
      RegistryEntry entry;
      entry.id = entry.base = make_source_id("here", name, "one");
      entry.path = path(name);
      entry.input = "web";
      entry.size_bytes = 1000;
      entry.acknowledged_offset = name == "a.log" ? 400 : 1000;
      if (name == "a.log") entry.routes = {{"batch", 900}};
      (*registry)->put(entry);
    }
    ASSERT_TRUE((*registry)->flush());
  }
  [[nodiscard]] std::string status(const std::vector<RouteConfig>& routes, bool json) const {
    const auto done = run([&] { return status_command(path("state"), routes, json); });
    EXPECT_EQ(done.exit_code, kExitOk) << done.errors;
    return done.out;
  }
};

TEST_F(StatusCommand, EachOfSeveralRoutesHasALine) {
  const auto out = status(kBoth, false);
  EXPECT_THAT(out, ContainsRegex("ROUTE +SIZE +SHIPPED +LAG +TOPIC\n"));
  EXPECT_THAT(out, ContainsRegex("\nbatch +2000 +1900 +100  weir\n"));
  EXPECT_THAT(out, ContainsRegex("\nwindows +2000 +1400 +600  sums\n"));
  EXPECT_THAT(out, ContainsRegex(" 1000 +400 +600 .*a\\.log\n")) << "a source is where its last route is";
}

TEST_F(StatusCommand, OneRouteIsWhatTheSourcesSay) {
  EXPECT_THAT(status({kBoth[0]}, false), Not(HasSubstr("ROUTE")));
  EXPECT_THAT(status({}, false), Not(HasSubstr("ROUTE")));
  EXPECT_THAT(status({kBoth[0]}, true), Not(HasSubstr("routes")));
}

TEST_F(StatusCommand, JsonHasTheOffsetsOfSeveralRoutes) {
  const auto out = status(kBoth, true);
  EXPECT_THAT(out, HasSubstr("\"shipped_offset\":400,\"lag_bytes\":600,"));
  EXPECT_THAT(out, HasSubstr(",\"routes\":{\"batch\":900,\"windows\":400}}\n"));
  EXPECT_THAT(out, HasSubstr(",\"routes\":{\"batch\":1000,\"windows\":1000}}\n"));
}

}  // namespace
}  // namespace weir
