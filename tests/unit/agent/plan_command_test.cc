#include <gmock/gmock.h>

#include <filesystem>

#include "agent/commands.h"
#include "agent/tail/content.h"
#include "agent/tail/proof.h"
#include "agent/tail/registry.h"
#include "agent/tail/rotation.h"
#include "common/exit_codes.h"
#include "tests/unit/agent/command_test_parts.h"

namespace weir {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::string_view kFirst = "1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] \"GET /1 HTTP/1.0\" 200 1\n";
constexpr std::string_view kSecond = "1.2.3.4 - - [10/Oct/2000:13:55:37 -0700] \"GET /2 HTTP/1.0\" 200 1\n";

class PlanCommand : public CommandTest {
 protected:
  [[nodiscard]] AgentConfig config() const {
    AgentConfig config;
    config.id = "here";
    config.state_dir = path("state");
    InputConfig input;
    input.name = "web";
    input.paths = {path("*.log*")};
    input.format = "common";
    config.inputs = {input};
    return config;
  }
  [[nodiscard]] std::vector<PlanLine> plan(const AgentConfig& config) const {
    auto lines = plan_start(config, posix_file_system(), system_clock());
    EXPECT_TRUE(lines.has_value());
    return lines ? *lines : std::vector<PlanLine>{};
  }
  // As left by an agent that has shipped the first line of `log`.
  void remember_first_line(const std::string& log) const {
    const auto facts = posix_file_system().facts(log);
    auto content = Content::open(log);
    ASSERT_TRUE(facts && content);
    auto registry = Registry::open(path("state"));
    ASSERT_TRUE(registry);
    RegistryEntry entry;
    entry.id = entry.base = make_source_id("here", log_family(log), kFirst.substr(0, kFirst.size() - 1));
    entry.path = log;
    entry.input = "web";
    entry.device = facts->device;
    entry.inode = facts->inode;
    entry.acknowledged_offset = kFirst.size();
    entry.size_bytes = facts->size_bytes;
    entry.tail_hash = *tail_hash(**content, kFirst.size());
    entry.seen_ms = system_clock().wall_ms();
    (*registry)->put(entry);
    ASSERT_TRUE((*registry)->flush());
  }
};

TEST_F(PlanCommand, AFirstStartReadsAFileFromItsBeginningAndMakesNoStateDir) {
  const auto log = write("a.log", std::string(kFirst) + std::string(kSecond));
  const auto lines = plan(config());
  ASSERT_EQ(lines.size(), 1);
  EXPECT_EQ(lines[0].path, log);
  EXPECT_FALSE(lines[0].source.empty());
  EXPECT_EQ(lines[0].offset, 0);
  EXPECT_EQ(lines[0].size_bytes, kFirst.size() + kSecond.size());
  EXPECT_EQ(lines[0].why, "new");
  EXPECT_FALSE(std::filesystem::exists(path("state")));
}

TEST_F(PlanCommand, ASourceThatIsKnownGoesOnWhereItWasAcknowledged) {
  const auto log = write("a.log", std::string(kFirst) + std::string(kSecond));
  remember_first_line(log);
  const auto lines = plan(config());
  ASSERT_EQ(lines.size(), 1);
  EXPECT_EQ(lines[0].offset, kFirst.size());
  EXPECT_THAT(lines[0].why, HasSubstr("acknowledged"));
}

TEST_F(PlanCommand, IsAnsweredBesideARunningAgentAndLeavesItsRegistryAsItIs) {
  const auto log = write("a.log", std::string(kFirst) + std::string(kSecond));
  remember_first_line(log);
  write("b.log", kSecond);
  const auto running = Registry::open(path("state"));  // holds the lock
  ASSERT_TRUE(running);
  const auto before = read_registry(path("state"));
  EXPECT_EQ(plan(config()).size(), 2);
  const auto after = read_registry(path("state"));
  ASSERT_TRUE(before && after);
  EXPECT_EQ(before->entries, after->entries);
}

TEST_F(PlanCommand, SaysWhyAFileIsLeftAlone) {
  write("a.log", "no whole line");
  write("b.log", kFirst);
  std::filesystem::create_hard_link(path("b.log"), path("b.log.1"));
  write("old.log", kSecond);
  std::filesystem::last_write_time(path("old.log"),
                                   std::filesystem::file_time_type::clock::now() - std::chrono::hours(48));
  auto with_age = config();
  with_age.inputs[0].ignore_older = std::chrono::hours(24);
  const auto done = run([&] { return plan_command(with_age, false); });
  EXPECT_EQ(done.exit_code, kExitOk);
  EXPECT_THAT(done.out, HasSubstr("a.log  (no whole line yet)"));
  EXPECT_THAT(done.out, HasSubstr("(the same file as "));
  EXPECT_THAT(done.out, HasSubstr("old.log  (not modified for longer than ignore_older)"));
}

TEST_F(PlanCommand, PrintsOneJsonObjectForEachFile) {
  write("a.log", kFirst);
  write("b\".log", "no whole line");
  const auto done = run([&] { return plan_command(config(), true); });
  EXPECT_EQ(done.exit_code, kExitOk);
  EXPECT_THAT(done.out, HasSubstr(R"("offset":0,"size_bytes":65,"why":"new"})"));
  EXPECT_THAT(done.out,
              HasSubstr(R"(b\".log","source":null,"offset":null,"size_bytes":null,"why":"no whole)"));
  EXPECT_THAT(done.out, Not(HasSubstr("SOURCE")));
}

TEST_F(PlanCommand, ARegistryThatCannotBeReadIsSaid) {
  std::filesystem::create_directory(path("state"));
  write("state/registry", "this is not a database, and longer than a header of one would have to be: ....");
  const auto done = run([&] { return plan_command(config(), false); });
  EXPECT_EQ(done.exit_code, kExitFailed);
  EXPECT_THAT(done.errors, HasSubstr("registry"));
}

}  // namespace
}  // namespace weir
