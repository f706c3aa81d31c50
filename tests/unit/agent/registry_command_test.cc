#include <fmt/format.h>
#include <gmock/gmock.h>
#include <zlib.h>

#include <algorithm>
#include <filesystem>

#include "agent/commands.h"
#include "agent/registry_edit.h"
#include "agent/tail/proof.h"
#include "agent/tail/rotation.h"
#include "common/exit_codes.h"
#include "tests/unit/agent/command_test_parts.h"

namespace weir {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kLines = "one\ntwo\nthree\n";  // lines start at 0, 4, 8

class RegistryCommand : public CommandTest {
 protected:
  static RegistryEntry entry_of(const std::string& file, std::uint64_t offset) {
    RegistryEntry entry;
    const auto facts = posix_file_system().facts(file);
    auto content = Content::open(file);
    EXPECT_TRUE(facts && content);
    entry.id = entry.base = make_source_id("here", log_family(file), "one");
    entry.path = file;
    entry.input = "web";
    entry.device = facts->device;
    entry.inode = facts->inode;
    entry.birth_ns = facts->birth_ns;
    entry.partition = 3;
    entry.acknowledged_offset = offset;
    entry.size_bytes = facts->size_bytes;
    entry.tail_hash = *tail_hash(**content, offset);
    entry.state = {FileState::kActive, {}};
    return entry;
  }
  static Result<OffsetChange> change(const RegistryEntry& entry, std::uint64_t offset) {
    auto content = open_file_of(entry, posix_file_system());
    EXPECT_TRUE(content.has_value());
    return change_offset(entry, offset, content->get(), 1234);
  }
  void remember(const std::vector<RegistryEntry>& entries) const {
    auto registry = Registry::open(path("state"));
    ASSERT_TRUE(registry);
    for (const auto& entry : entries) (*registry)->put(entry);
    ASSERT_TRUE((*registry)->flush());
  }
  [[nodiscard]] RegistryContent known() const {
    auto content = read_registry(path("state"));
    EXPECT_TRUE(content.has_value());
    return content ? *content : RegistryContent{};
  }
};

TEST_F(RegistryCommand, ForwardsRecordsWhatIsSkipped) {
  const auto entry = entry_of(write("a.log", kLines), 4);
  const auto changed = change(entry, 8);
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->entry.acknowledged_offset, 8);
  EXPECT_EQ(changed->entry.tail_hash, entry_of(entry.path, 8).tail_hash);
  const Loss expected{.source = entry.id,
                      .range = {4, 8},
                      .cause = LossCause::kSkippedByOperator,
                      .origin = 0,
                      .partition = 3,
                      .path = entry.path,
                      .input = "web",
                      .noticed_ms = 1234};
  EXPECT_EQ(changed->loss, expected);
}

TEST_F(RegistryCommand, BackwardsIsNoLoss) {
  const auto changed = change(entry_of(write("a.log", kLines), 14), 4);
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->entry.acknowledged_offset, 4);
  EXPECT_FALSE(changed->loss);
}

TEST_F(RegistryCommand, BackBehindTheOriginMovesTheOriginToo) {
  auto entry = entry_of(write("a.log", kLines), 14);
  entry.origin = 8;
  const auto changed = change(entry, 0);
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->entry.origin, 0);
}

TEST_F(RegistryCommand, TheMiddleOfALineIsRefusedWithTheNearestStarts) {
  const auto entry = entry_of(write("a.log", kLines), 4);
  const auto changed = change(entry, 6);
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, Code::kInvalid);
  EXPECT_EQ(changed.error().hint, "the nearest line starts: 4 or 8");
  EXPECT_EQ(change(entry, 2).error().hint, "the nearest line starts: 0 or 4");
}

TEST_F(RegistryCommand, TheEndOfTheLastWholeLineIsAStartAndBeyondItIsNot) {
  const auto entry = entry_of(write("a.log", std::string(kLines) + "fo"), 4);
  EXPECT_TRUE(change(entry, 14));
  EXPECT_EQ(change(entry, 16).error().hint, "the nearest line starts: 14");
  EXPECT_THAT(change(entry, 17).error().what, HasSubstr("behind its end"));
}

TEST_F(RegistryCommand, AFileThatWasWrittenAnewIsLeftAlone) {
  const auto entry = entry_of(write("a.log", kLines), 8);
  write("a.log", "new\nmo2\nlines\n");  // the same inode
  const auto changed = change(entry, 4);
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, Code::kCorrupt);
}

TEST_F(RegistryCommand, ARotatedFileIsFoundUnderItsOtherName) {
  const auto entry = entry_of(write("a.log", kLines), 4);
  std::filesystem::rename(path("a.log"), path("a.log.1"));
  write("a.log", "another\n");
  EXPECT_FALSE(change(entry, 6));
  EXPECT_TRUE(change(entry, 8));
}

TEST_F(RegistryCommand, WithoutTheFileAnOffsetWithinItIsBelieved) {
  const auto entry = entry_of(write("a.log", kLines), 4);
  std::filesystem::remove(path("a.log"));
  const auto changed = change(entry, 14);
  ASSERT_TRUE(changed);
  EXPECT_EQ(changed->entry.tail_hash, "");
  EXPECT_TRUE(changed->loss);
  EXPECT_FALSE(change(entry, 15));
}

TEST_F(RegistryCommand, OffsetsOfACompressedFileAreThoseOfItsContent) {
  auto* file = gzopen(path("a.log.1.gz").c_str(), "wb");
  gzputs(file, "one\ntwo\nthree");
  gzclose(file);
  const auto entry = entry_of(path("a.log.1.gz"), 4);
  EXPECT_TRUE(change(entry, 8));
  EXPECT_TRUE(change(entry, 13));  // its last line is complete without a newline
  EXPECT_EQ(change(entry, 10).error().hint, "the nearest line starts: 8");
}

TEST_F(RegistryCommand, SetOffsetChangesTheOneSourceAndSaysWhatWasSkipped) {
  auto other = entry_of(write("b.log", kLines), 4);
  const auto entry = entry_of(write("a.log", kLines), 4);
  remember({entry, other});
  const auto done =
      run([&] { return registry_set_offset_command(path("state"), entry.id.hex().substr(0, 8), 8); });
  EXPECT_EQ(done.exit_code, kExitOk) << done.errors;
  EXPECT_THAT(done.out, HasSubstr("offset 4 -> 8"));
  EXPECT_THAT(done.out, HasSubstr("4 bytes are skipped"));
  const auto content = known();
  ASSERT_EQ(content.entries.size(), 2);
  EXPECT_EQ(content.entries[0].acknowledged_offset, 8);
  EXPECT_EQ(content.entries[1], other);
  ASSERT_EQ(content.losses.size(), 1);
  EXPECT_EQ(content.losses[0].cause, LossCause::kSkippedByOperator);
  const auto list = run([&] { return registry_list_command(path("state")); });
  EXPECT_THAT(list.out, HasSubstr("skipped by the operator"));
  const auto text = run([&] { return registry_export_command(path("state")); });
  EXPECT_THAT(text.out, HasSubstr(R"("begin_offset":4,"end_offset":8,"cause":"skipped by the operator")"));
}

TEST_F(RegistryCommand, WhatIsRefusedChangesNothing) {
  const auto entry = entry_of(write("a.log", kLines), 4);
  remember({entry});
  const auto done = run([&] { return registry_set_offset_command(path("state"), entry.id.hex(), 6); });
  EXPECT_EQ(done.exit_code, kExitUsage);
  EXPECT_THAT(done.errors, HasSubstr("the nearest line starts: 4 or 8"));
  const auto unknown = run([&] { return registry_set_offset_command(path("state"), "zz", 8); });
  EXPECT_EQ(unknown.exit_code, kExitInput);
  EXPECT_EQ(known().entries, std::vector{entry});
  EXPECT_TRUE(known().losses.empty());
}

TEST_F(RegistryCommand, ForgetForgetsTheOneSource) {
  const auto other = entry_of(write("b.log", kLines), 4);
  const auto entry = entry_of(write("a.log", kLines), 4);
  remember({entry, other});
  const auto done = run([&] { return registry_forget_command(path("state"), entry.id.hex()); });
  EXPECT_EQ(done.exit_code, kExitOk) << done.errors;
  EXPECT_EQ(known().entries, std::vector{other});
}

TEST_F(RegistryCommand, WhileAnAgentRunsOnlyTheReadersAreAnswered) {
  const auto entry = entry_of(write("a.log", kLines), 4);
  remember({entry});
  const auto running = Registry::open(path("state"));
  ASSERT_TRUE(running);
  EXPECT_EQ(run([&] { return registry_forget_command(path("state"), entry.id.hex()); }).exit_code,
            kExitLocked);
  EXPECT_EQ(run([&] { return registry_set_offset_command(path("state"), entry.id.hex(), 8); }).exit_code,
            kExitLocked);
  EXPECT_EQ(run([&] { return registry_list_command(path("state")); }).exit_code, kExitOk);
  EXPECT_EQ(known().entries, std::vector{entry});
}

TEST_F(RegistryCommand, AFolderThatWasMistypedIsNotMade) {
  EXPECT_EQ(run([&] { return registry_forget_command(path("none"), "ab"); }).exit_code, kExitInput);
  EXPECT_EQ(run([&] { return registry_list_command(path("none")); }).exit_code, kExitInput);
  EXPECT_FALSE(std::filesystem::exists(path("none")));
}

TEST_F(RegistryCommand, AnIdThatTwoShareIsRefused) {
  auto one = entry_of(write("a.log", kLines), 4);
  auto two = one;
  one.id.high = two.id.high = 0xabcdef0000000000;
  one.id.low = 1;
  two.id.low = 2;
  remember({one, two});
  const auto done = run([&] { return registry_forget_command(path("state"), "abcdef"); });
  EXPECT_EQ(done.exit_code, kExitUsage);
  EXPECT_THAT(done.errors, HasSubstr("more than one"));
}

TEST_F(RegistryCommand, TheExportHasEveryFieldAndEscapesNames) {
  auto entry = entry_of(write("a.log", kLines), 4);
  entry.path = "/logs/a\"\n.log";
  entry.line_hash = "\x01\xff";
  remember({entry});
  const auto text = run([&] { return registry_export_command(path("state")); }).out;
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
  EXPECT_THAT(text, HasSubstr(R"("path":"/logs/a\"\\x0a.log")"));
  EXPECT_THAT(text, HasSubstr(R"("line_hash":"01ff")"));
  for (const char* field :
       {"base", "device", "inode", "birth_ns", "partition", "origin", "size_bytes", "tail_hash",
        "sent_offset", "sent_tail_hash", "last_acknowledged_ms", "seen_ms", "state"})
    EXPECT_THAT(text, HasSubstr(fmt::format("\"{}\":", field)));
}

}  // namespace
}  // namespace weir
