#include "agent/drained.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include <filesystem>

#include "agent/commands.h"
#include "agent/tail/content.h"
#include "agent/tail/proof.h"
#include "agent/tail/rotation.h"
#include "common/exit_codes.h"
#include "tests/unit/agent/command_test_parts.h"

namespace weir {
namespace {

using ::testing::HasSubstr;
using namespace std::chrono_literals;

class Drained : public CommandTest {
 protected:
  // The entry of an agent that has acknowledged `file` up to `offset`.
  static RegistryEntry entry_of(const std::string& file, std::uint64_t offset) {
    RegistryEntry entry;
    const auto facts = posix_file_system().facts(file);
    auto content = Content::open(file);
    EXPECT_TRUE(facts && content);
    const auto line = first_data_line(**content);
    EXPECT_TRUE(line);
    entry.id = entry.base = make_source_id("here", log_family(file), *line);
    entry.line_hash = make_source_id("", "", *line).bytes();
    entry.path = file;
    entry.input = "web";
    entry.device = facts->device;
    entry.inode = facts->inode;
    entry.birth_ns = facts->birth_ns;
    entry.acknowledged_offset = offset;
    entry.size_bytes = facts->size_bytes;
    entry.tail_hash = *tail_hash(**content, offset);
    return entry;
  }
  static DrainState state_of(const std::string& file, const std::vector<RegistryEntry>& entries) {
    auto state = drain_state(file, entries, posix_file_system());
    EXPECT_TRUE(state.has_value());
    return state ? *state : DrainState{};
  }
  [[nodiscard]] std::string compressed(const std::string& name, std::string_view text) const {
    auto* file = gzopen(path(name).c_str(), "wb");
    gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
    gzclose(file);
    return path(name);
  }
  static std::string many_lines() {
    std::string text;
    for (int n = 0; n < 200; ++n) text += "line " + std::to_string(n) + "\n";
    return text;
  }
};

TEST_F(Drained, WhatIsAcknowledgedToItsEndIsDrained) {
  const auto file = write("a.log", "one\ntwo\n");
  const auto state = state_of(file, {entry_of(file, 8)});
  EXPECT_TRUE(state.drained);
  EXPECT_THAT(state.why, HasSubstr("all 8 bytes"));
}

TEST_F(Drained, WhatIsAcknowledgedInPartIsNot) {
  const auto file = write("a.log", "one\ntwo\n");
  const auto state = state_of(file, {entry_of(file, 4)});
  EXPECT_FALSE(state.drained);
  EXPECT_THAT(state.why, HasSubstr("4 of 8 bytes"));
}

TEST_F(Drained, AFileThatTheAgentDoesNotKnowIsNot) {
  EXPECT_FALSE(state_of(write("a.log", "one\n"), {}).drained);
}

TEST_F(Drained, AnEmptyFileIsDrained) { EXPECT_TRUE(state_of(write("a.log", ""), {}).drained); }

TEST_F(Drained, ALastLineWithoutItsNewlineIsNotAndIsSaid) {
  const auto file = write("a.log", "one\ntw");
  const auto state = state_of(file, {entry_of(file, 4)});
  EXPECT_FALSE(state.drained);
  EXPECT_THAT(state.why, HasSubstr("no newline yet (2 bytes)"));
}

TEST_F(Drained, ARenamedFileIsTheSame) {
  const auto file = write("a.log", "one\n");
  const auto entry = entry_of(file, 4);
  std::filesystem::rename(file, path("a.log.1"));
  EXPECT_TRUE(state_of(path("a.log.1"), {entry}).drained);
}

TEST_F(Drained, WhatWasThereBeforeATruncationSaysNothingOfWhatIsThereNow) {
  const auto file = write("a.log", "one\ntwo\n");
  const auto entry = entry_of(file, 8);
  write("a.log", "new\n");  // the same inode
  EXPECT_FALSE(state_of(file, {entry}).drained);
  write("a.log", "new\nmo2\n");  // of exactly the same size
  EXPECT_FALSE(state_of(file, {entry}).drained);
}

TEST_F(Drained, OfTwoSourcesOfOneFileTheOneThatHasItsBytesCounts) {
  const auto file = write("a.log", "one\ntwo\nthree\n");
  const auto before = entry_of(file, 14);
  write("a.log", "new\n");
  EXPECT_TRUE(state_of(file, {before, entry_of(file, 4)}).drained);
}

TEST_F(Drained, ACompressedFileIsDrainedAtTheEndOfItsContent) {
  const auto text = many_lines();
  const auto file = compressed("a.log.1.gz", text);
  auto entry = entry_of(file, 14);
  entry.size_bytes = 14;  // as far as the agent has read
  EXPECT_FALSE(state_of(file, {entry}).drained);
  EXPECT_TRUE(state_of(file, {entry_of(file, text.size())}).drained);
}

TEST_F(Drained, ACopyOfADrainedSourceIsDrainedUnderItsOtherName) {
  const auto text = many_lines();
  const auto original = write("a.log", text);
  const auto entry = entry_of(original, text.size());
  EXPECT_TRUE(state_of(compressed("a.log.1.gz", text), {entry}).drained);
  EXPECT_TRUE(state_of(write("a.log.1", text), {entry}).drained);
  EXPECT_FALSE(state_of(write("a.log.1", text + "more\n"), {entry}).drained);
  EXPECT_FALSE(state_of(write("b.log.1", text), {entry}).drained);  // of a different log
}

TEST_F(Drained, ACopyInAFileWhoseInodeWasAnothersIsDrainedToo) {
  const auto text = many_lines();
  const auto entry = entry_of(write("a.log", text), text.size());
  auto deleted = entry_of(write("a.log.1", text), 5);
  deleted.tail_hash = "of other bytes";
  EXPECT_TRUE(state_of(path("a.log.1"), {deleted, entry}).drained);
}

TEST_F(Drained, ANewFileThatBeginsLikeItsPredecessorIsNotACopyOfIt) {
  const auto text = many_lines();
  auto entry = entry_of(write("a.log", text), text.size());
  std::filesystem::rename(path("a.log"), path("a.log.1"));
  EXPECT_FALSE(state_of(write("a.log", text), {entry}).drained);  // not yet seen under its new name
  entry.path = path("a.log.1");
  EXPECT_FALSE(state_of(path("a.log"), {entry}).drained);
}

TEST_F(Drained, WhatIsNotThereOrNoFileIsAnError) {
  const auto none = drain_state(path("none"), {}, posix_file_system());
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, Code::kNotFound);
  EXPECT_FALSE(drain_state(folder_.path(), {}, posix_file_system()));
}

// A clock that advances only while the code under test waits.
class StepClock : public Clock {
 public:
  [[nodiscard]] std::int64_t wall_ms() const override { return 0; }
  [[nodiscard]] std::int64_t steady_ms() const override { return now_ms; }
  std::int64_t now_ms = 1000;
};

TEST(WaitUntilDrained, LooksUntilItIsDrained) {
  StepClock clock;
  int looks = 0;
  const auto state =
      wait_until_drained([&]() -> Result<DrainState> { return DrainState{++looks == 3, ""}; }, 30s, clock,
                         [&](std::chrono::milliseconds time) { clock.now_ms += time.count(); });
  ASSERT_TRUE(state);
  EXPECT_TRUE(state->drained);
  EXPECT_EQ(clock.now_ms, 1200);
}

TEST(WaitUntilDrained, LooksOnceMoreAtTheDeadlineAndNoLonger) {
  StepClock clock;
  int looks = 0;
  const auto state =
      wait_until_drained([&]() -> Result<DrainState> { return ++looks, DrainState{}; }, 250ms, clock,
                         [&](std::chrono::milliseconds time) { clock.now_ms += time.count(); });
  ASSERT_TRUE(state);
  EXPECT_FALSE(state->drained);
  EXPECT_EQ(looks, 4);
  EXPECT_EQ(clock.now_ms, 1250);
}

TEST(WaitUntilDrained, WithoutWaitingLooksOnce) {
  StepClock clock;
  int looks = 0;
  const auto state = wait_until_drained([&]() -> Result<DrainState> { return ++looks, DrainState{}; }, 0ms,
                                        clock, [](std::chrono::milliseconds) { FAIL(); });
  ASSERT_TRUE(state);
  EXPECT_EQ(looks, 1);
}

TEST(WaitUntilDrained, WhatIsNotThereEndsTheWait) {
  StepClock clock;
  const auto state = wait_until_drained([]() -> Result<DrainState> { return fail(Code::kNotFound, "gone"); },
                                        30s, clock, [](std::chrono::milliseconds) { FAIL(); });
  EXPECT_FALSE(state);
}

TEST(WaitUntilDrained, WhatCannotBeReadIsLookedAtAgain) {
  StepClock clock;
  int looks = 0;
  const auto read_state = [&]() -> Result<DrainState> {
    if (++looks < 3) return fail(Code::kIo, "no such table: source");
    return DrainState{true, ""};
  };
  const auto pause = [&](std::chrono::milliseconds time) { clock.now_ms += time.count(); };
  const auto state = wait_until_drained(read_state, 30s, clock, pause);
  ASSERT_TRUE(state);
  EXPECT_TRUE(state->drained);
  looks = -1000;
  EXPECT_FALSE(wait_until_drained(read_state, 200ms, clock, pause));
}

TEST_F(Drained, TheCommandEndsWithACodeOfItsOwn) {
  const auto file = write("a.log", "one\ntwo\n");
  const auto state_dir = path("state");
  EXPECT_EQ(run([&] { return drained_command(file, state_dir, 0ms); }).exit_code, kExitInput);
  {
    auto registry = Registry::open(state_dir);
    ASSERT_TRUE(registry);
    (*registry)->put(entry_of(file, 4));
    ASSERT_TRUE((*registry)->flush());
    // While an agent holds the lock.
    const auto not_yet = run([&] { return drained_command(file, state_dir, 0ms); });
    EXPECT_EQ(not_yet.exit_code, kExitNotDrained);
    EXPECT_THAT(not_yet.errors, HasSubstr("4 of 8 bytes are acknowledged"));
    (*registry)->put(entry_of(file, 8));
    ASSERT_TRUE((*registry)->flush());
  }
  const auto done = run([&] { return drained_command(file, state_dir, 0ms); });
  EXPECT_EQ(done.exit_code, kExitOk);
  EXPECT_THAT(done.out, HasSubstr("all 8 bytes are acknowledged"));
  EXPECT_EQ(run([&] { return drained_command(path("none"), state_dir, 0ms); }).exit_code, kExitInput);
}

}  // namespace
}  // namespace weir
