#include "agent/tail/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/tail/registry_status.h"
#include "tests/unit/temp_folder.h"

namespace weir {
namespace {

using ::testing::HasSubstr;
using testing::TempFolder;

RegistryEntry entry_of(std::string_view first_line) {
  RegistryEntry entry;
  entry.id = make_source_id("web1", "/var/log/nginx/access.log", first_line);
  entry.path = "/var/log/nginx/access.log";
  entry.input = "web";
  entry.device = 0xffff'ffff'ffff'fff0U;  // beyond SQLite's signed integers
  entry.inode = 42;
  entry.partition = 3;
  entry.origin = 10;
  entry.acknowledged_offset = 5000;
  entry.size_bytes = 6000;
  entry.tail_hash = std::string("\0hash\xff", 6);
  entry.last_acknowledged_ms = 1'795'000'000'123;
  entry.state = {FileState::kActive, {}};
  return entry;
}

// A caller that waits for an agent which has just started must not be told that the registry is foreign.
TEST(Registry, OneThatIsBeingMadeHasNothingYet) {
  const TempFolder folder;
  folder.write("registry", "");
  const auto content = read_registry(folder / ".");
  ASSERT_TRUE(content.has_value()) << content.error().what;
  EXPECT_TRUE(content->entries.empty());
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open((folder / "registry").c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, "PRAGMA journal_mode=WAL; BEGIN; CREATE TABLE meta(name TEXT)", nullptr,
                         nullptr, nullptr),
            SQLITE_OK);
  EXPECT_TRUE(read_registry(folder / ".").has_value());
  ASSERT_EQ(sqlite3_exec(database, "COMMIT", nullptr, nullptr, nullptr), SQLITE_OK);
  EXPECT_FALSE(read_registry(folder / ".").has_value()) << "somebody else's";
  sqlite3_close(database);
}

TEST(Registry, RemembersAcrossStarts) {
  const TempFolder folder;
  const auto entry = entry_of("one");
  std::uint64_t instance = 0;
  {
    const auto registry = std::move(*Registry::open(folder / "state"));
    instance = registry->instance();
    EXPECT_NE(instance, 0U);
    registry->put(entry);
    registry->put(entry_of("two"));
    ASSERT_TRUE(registry->flush().has_value());
    registry->put(entry_of("never flushed"));
  }
  const auto registry = std::move(*Registry::open(folder / "state"));
  EXPECT_EQ(registry->instance(), instance);
  const auto* found = registry->find(entry.id);
  ASSERT_NE(found, nullptr);
  EXPECT_EQ(found->path, entry.path);
  EXPECT_EQ(found->input, entry.input);
  EXPECT_EQ(found->device, entry.device);
  EXPECT_EQ(found->inode, entry.inode);
  EXPECT_EQ(found->partition, entry.partition);
  EXPECT_EQ(found->origin, entry.origin);
  EXPECT_EQ(found->acknowledged_offset, entry.acknowledged_offset);
  EXPECT_EQ(found->size_bytes, entry.size_bytes);
  EXPECT_EQ(found->tail_hash, entry.tail_hash);
  EXPECT_EQ(found->last_acknowledged_ms, entry.last_acknowledged_ms);
  EXPECT_EQ(found->state, entry.state);
  EXPECT_EQ(registry->find(entry_of("never flushed").id), nullptr);
}

TEST(Registry, RemembersWhereWindowsWereCut) {
  const TempFolder folder;
  auto cut = entry_of("one");
  cut.cuts_known = true;
  cut.cuts = {5001, 6000, 1ULL << 61};
  auto drained = entry_of("two");
  drained.cuts_known = true;
  const auto records = entry_of("three");
  {
    const auto registry = std::move(*Registry::open(folder / "state"));
    for (const auto& entry : {cut, drained, records}) registry->put(entry);
    ASSERT_TRUE(registry->flush(Registry::Keep::kThroughPowerCuts).has_value());
    ASSERT_TRUE(registry->flush(Registry::Keep::kThroughPowerCuts).has_value()) << "nothing is left to write";
  }
  {
    const auto registry = std::move(*Registry::open(folder / "state"));
    EXPECT_EQ(*registry->find(cut.id), cut);
    EXPECT_EQ(*registry->find(drained.id), drained);
    EXPECT_EQ(*registry->find(records.id), records);
  }
  // Unreadable cuts are unknown: the source is sent as records, which is never wrong.
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open((folder / "state/registry").c_str(), &raw), SQLITE_OK);
  sqlite3_exec(raw, "UPDATE source SET cuts = x'01ff'", nullptr, nullptr, nullptr);
  sqlite3_close(raw);
  const auto registry = std::move(*Registry::open(folder / "state"));
  ASSERT_NE(registry->find(cut.id), nullptr);
  EXPECT_FALSE(registry->find(cut.id)->cuts_known);
  EXPECT_TRUE(registry->find(cut.id)->cuts.empty());
}

// Records how it was asked to write.
class NotingFile : public RegistryFile {
 public:
  NotingFile(std::vector<std::pair<std::size_t, bool>>& written, bool& fails)
      : written_(written), fails_(fails) {}
  [[nodiscard]] Result<RegistryContent> load() override {
    return RegistryContent{.instance = 1, .entries = {}, .losses = {}, .note = {}};
  }
  [[nodiscard]] Result<void> write(const Change& change) override {
    if (fails_) return fail(Code::kIo, "full");
    written_.emplace_back(change.put.size(), change.durable);
    return {};
  }

 private:
  std::vector<std::pair<std::size_t, bool>>& written_;
  bool& fails_;
};

TEST(Registry, WhatMustOutliveAPowerCutIsWrittenSoHoweverItCameThere) {
  std::vector<std::pair<std::size_t, bool>> written;
  bool fails = false;
  const auto registry = std::move(*Registry::open(std::make_unique<NotingFile>(written, fails)));
  using Written = std::vector<std::pair<std::size_t, bool>>;
  registry->put(entry_of("one"));
  ASSERT_TRUE(registry->flush().has_value());
  ASSERT_TRUE(registry->flush(Registry::Keep::kThroughPowerCuts).has_value());
  EXPECT_EQ(written, (Written{{1, false}, {1, true}})) << "what was written before is waited for";
  ASSERT_TRUE(registry->flush(Registry::Keep::kThroughPowerCuts).has_value());
  EXPECT_EQ(written.size(), 2U);
  registry->put(entry_of("two"));
  fails = true;
  ASSERT_FALSE(registry->flush(Registry::Keep::kThroughPowerCuts).has_value());
  fails = false;
  ASSERT_TRUE(registry->flush().has_value());
  EXPECT_EQ(written.back(), (std::pair<std::size_t, bool>{1, true}))
      << "the one that failed was to be durable";
}

TEST(Registry, IsReadForStatusBesideARunningAgent) {
  const TempFolder folder;
  const auto missing = read_registry_status(folder / "state");
  ASSERT_FALSE(missing.has_value());
  EXPECT_EQ(missing.error().code, Code::kNotFound);
  const auto registry = std::move(*Registry::open(folder / "state"));
  registry->put(entry_of("one"));
  ASSERT_TRUE(registry->flush().has_value());
  const auto rows = read_registry_status(folder / "state");
  ASSERT_TRUE(rows.has_value());
  ASSERT_EQ(rows->size(), 1U);
  EXPECT_EQ(rows->front().acknowledged_offset, 5000U);
  EXPECT_EQ(rows->front().state.state, FileState::kActive);
}

TEST(Registry, ASecondAgentIsRefusedWithThePidOfTheFirst) {
  const TempFolder folder;
  const auto first = Registry::open(folder / "state");
  const auto second = Registry::open(folder / "state");
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, Code::kFenced);
  EXPECT_THAT(second.error().what, HasSubstr(folder / "state"));
  EXPECT_THAT(second.error().what, HasSubstr(std::to_string(::getpid())));
}

TEST(Registry, OfANewerWeirIsRefusedAndLeftAlone) {
  const TempFolder folder;
  {
    const auto registry = Registry::open(folder / "state");
  }
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open((folder / "state/registry").c_str(), &raw), SQLITE_OK);
  sqlite3_exec(raw, "UPDATE meta SET value='999' WHERE name='version'", nullptr, nullptr, nullptr);
  sqlite3_close(raw);
  const auto refused = Registry::open(folder / "state");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_THAT(refused.error().what, HasSubstr("999"));
}

TEST(Registry, AFileThatIsNoDatabaseIsPutAsideAndSaid) {
  const TempFolder folder;
  std::filesystem::create_directories(folder / "state");
  folder.write("state/registry", std::string(4096, 'x'));
  {
    const auto registry = Registry::open(folder / "state");
    ASSERT_TRUE(registry.has_value()) << registry.error().what;
    EXPECT_THAT((*registry)->note(), HasSubstr(folder / "state/registry"));
    EXPECT_THAT((*registry)->note(), HasSubstr("registry.damaged"));
    EXPECT_TRUE((*registry)->entries().empty());
    (*registry)->put(entry_of("one"));
    EXPECT_TRUE((*registry)->flush().has_value());
  }
  EXPECT_EQ(std::filesystem::file_size(folder / "state/registry.damaged"), 4096U);
  const auto again = Registry::open(folder / "state");
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ((*again)->note(), "");
  EXPECT_EQ((*again)->entries().size(), 1U);
}

TEST(Registry, WhatCouldNotBeWrittenIsWrittenLater) {
  const TempFolder folder;
  const auto registry = std::move(*Registry::open(folder / "state"));
  sqlite3* other = nullptr;
  ASSERT_EQ(sqlite3_open((folder / "state/registry").c_str(), &other), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(other, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  registry->put(entry_of("one"));
  EXPECT_FALSE(registry->flush().has_value());
  sqlite3_exec(other, "COMMIT", nullptr, nullptr, nullptr);
  sqlite3_close(other);
  EXPECT_TRUE(registry->flush().has_value());
  EXPECT_EQ(read_registry_status(folder / "state")->size(), 1U);
}

TEST(Registry, AFolderThatCannotBeMadeIsSaid) {
  const TempFolder folder;
  const auto file = folder.write("file", "");
  const auto refused = Registry::open(file + "/state");
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().what, HasSubstr(file));
  EXPECT_THAT(refused.error().hint, HasSubstr("state_dir"));
}

}  // namespace
}  // namespace weir
