// The audit: from a real store to its exit code, its table and its JSON.
#include "aggregator/audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "aggregator/audit_command.h"
#include "aggregator/open_for_reading.h"
#include "aggregator/store/sql_connection.h"
#include "common/exit_codes.h"
#include "tests/unit/temp_folder.h"

namespace weir {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::TempFolder;

const PartitionKey kPartition{"access", 0};

SourceId id_of(const std::string& name) { return make_source_id("agent", name, name); }

SourceState source_of(const std::string& path, std::uint64_t high_water, std::vector<Gap> gaps = {}) {
  SourceState source;
  source.id = id_of(path);
  source.coverage = Coverage(0, high_water, std::move(gaps));
  source.host = "web1";
  source.path = path;
  source.lines = 10;
  source.unparsed = 2;
  source.too_long = 1;
  source.filtered = 3;
  source.last_seen_ms = 1'764'000'000'000;
  return source;
}

DeadLetter letter_of(std::int64_t offset, const std::string& reason) {
  return {.partition = kPartition,
          .offset = offset,
          .kind = reason.starts_with("messages [") ? DeadLetterKind::kMessagesGone
                  : reason.starts_with("offset ")  ? DeadLetterKind::kOffsetGone
                                                   : DeadLetterKind::kUnreadable,
          .source = {},
          .reason = reason,
          .text = {},
          .seen_ms = 1'764'000'000'000};
}

std::string status_line(const std::string& path, std::uint64_t shipped) {
  return R"({"source":")" + id_of(path).hex() + R"(","path":")" + path +
         R"(","input":"a","shipped_offset":)" + std::to_string(shipped) + "}\n";
}

class Audit : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = open_sqlite(folder_ / "weir.db");
    ASSERT_TRUE(opened.has_value());
    store_ = std::move(*opened);
    ASSERT_TRUE(store_->migrate().has_value());
  }
  void commit(std::vector<SourceState> sources, std::vector<DeadLetter> letters = {}) {
    auto owned = store_->acquire(kPartition, "test");
    ASSERT_TRUE(owned.has_value());
    Commit commit;
    commit.partition = kPartition;
    commit.epoch = owned->epoch;
    commit.expected_next_offset = owned->next_offset;
    commit.next_offset = owned->next_offset + 1;
    commit.sources = std::move(sources);
    commit.dead_letters = std::move(letters);
    commit.dead_letter_count = commit.dead_letters.size();
    ASSERT_TRUE(store_->commit(commit).has_value());
  }
  std::string file(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  // The report's text, read from the store; `code_` is its exit code.
  std::string run(const AuditOptions& options = {}) {
    auto store = open_for_reading(folder_ / "weir.db", "");
    if (!store) throw std::runtime_error("the store does not open");
    std::FILE* out = std::tmpfile();
    code_ = audit_command(*store->store, options, out);
    std::string text(1 << 16, '\0');
    std::rewind(out);
    text.resize(std::fread(text.data(), 1, text.size(), out));
    std::fclose(out);
    return text;
  }

  TempFolder folder_;
  std::unique_ptr<Store> store_;
  int code_ = -1;
};

TEST_F(Audit, AStoreWithoutLogsIsWhole) {
  EXPECT_THAT(run(), HasSubstr("whole: every byte of 0 logs was counted"));
  EXPECT_EQ(code_, kExitOk);
}

TEST_F(Audit, AGoodDayIsWholeThoughLinesDidNotParse) {
  commit({source_of("/l/a.log", 1000), source_of("/l/b.log", 234)},
         {letter_of(1, "the line fits no format")});
  const auto text =
      run({.format = "table",
           .agent_status = {file("s", status_line("/l/a.log", 1000) + "\n" + status_line("/l/new.log", 0))}});
  EXPECT_EQ(code_, kExitOk) << text;
  EXPECT_THAT(
      text, HasSubstr("web1   /l/a.log          1,000              0     10         2         1         3"));
  EXPECT_THAT(
      text, HasSubstr("total                    1,234              0     20         4         2         6"));
  EXPECT_THAT(text, HasSubstr("whole: every byte of 2 logs was counted"));
}

TEST_F(Audit, AGapIsSaidWithItsCauseAndEndsWith10) {
  commit({source_of("/l/a.log", 1000, {{100, 150, LossCause::kDeletedUnread, 1'763'942'400'000}})});
  const auto text = run();
  EXPECT_EQ(code_, kExitNotWhole);
  EXPECT_EQ(code_, 10);
  EXPECT_THAT(text, HasSubstr("gap: web1 /l/a.log: bytes [100, 150), 50 bytes, deleted unread, since "
                              "2025-11-24T00:00:00Z\n"));
  EXPECT_THAT(text, HasSubstr("not whole: 1 gap of 50 bytes\n"));
}

TEST_F(Audit, MessagesThatAreGoneAreALineOfTheirOwnForGood) {
  commit({}, {letter_of(5, "messages [5, 9) are gone: the topic kept them for less time"),
              letter_of(6, "offset 70 does not exist yet: the topic was created again"),
              letter_of(7, "the batch does not decode")});
  for (int round = 0; round < 3; ++round) {
    std::vector<DeadLetter> many;
    for (int i = 0; i < 600; ++i) many.push_back(letter_of(1000 * (round + 1) + i, "a bad line"));
    commit({}, many);
  }
  const auto text = run();
  EXPECT_EQ(code_, kExitNotWhole);
  EXPECT_THAT(text, HasSubstr("lost: access 0: messages [5, 9) are gone"));
  EXPECT_THAT(text, HasSubstr("lost: access 0: offset 70 does not exist yet"));
  EXPECT_THAT(text, Not(HasSubstr("does not decode")));
  EXPECT_THAT(text, HasSubstr("not whole: 2 losses of messages\n"));
}

TEST_F(Audit, WhatAnAgentHasShippedAndTheStoreDoesNotKnowIsNotSettled) {
  commit({source_of("/l/a.log", 1000), source_of("/l/b.log", 500)});
  const auto first = file("1", status_line("/l/a.log", 1200) + status_line("/l/b.log", 500));
  const auto second = file("2", status_line("/l/a.log", 1100) + status_line("/l/c.log", 7));
  const auto text = run({.format = "table", .agent_status = {first, second}});
  EXPECT_EQ(code_, kExitNotWhole);
  EXPECT_THAT(text, HasSubstr("not settled: /l/a.log (" + id_of("/l/a.log").hex() +
                              "): bytes [1000, 1200), 200 bytes\n"));
  EXPECT_THAT(text, HasSubstr("bytes [0, 7), 7 bytes, the store does not know this log\n"));
  EXPECT_THAT(text, HasSubstr("not whole: 2 logs not settled, 207 bytes\n"));
  EXPECT_THAT(text, Not(HasSubstr("/l/b.log (")));
}

TEST_F(Audit, JsonIsJsonWithTheSameFacts) {
  commit({source_of("/l/a\x1b[2J\xff.log", 1000,
                    {{100, 150, LossCause::kReleased, 1'763'942'400'000}, {200, 201}})},
         {letter_of(5, "messages [5, 9) are gone: why")});
  const auto text = run({.format = "json", .agent_status = {file("s", status_line("/l/c.log", 7))}});
  EXPECT_EQ(code_, kExitNotWhole);
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  const auto json = nlohmann::json::parse(text);
  EXPECT_EQ(json["whole"], false);
  EXPECT_EQ(json["total"]["counted_bytes"], 949);
  EXPECT_EQ(json["total"]["gaps"], 2);
  EXPECT_EQ(json["total"]["unsettled_bytes"], 7);
  const auto& source = json["sources"][0];
  EXPECT_EQ(source["path"], "/l/a\\x1b[2J\\xff.log");
  EXPECT_EQ(source["gaps"][0], nlohmann::json::parse(R"({"begin":100,"end":150,"bytes":50,
      "cause":"released under disk pressure","since":"2025-11-24T00:00:00Z"})"));
  EXPECT_TRUE(source["gaps"][1]["since"].is_null());
  EXPECT_EQ(json["lost"][0]["reason"], "messages [5, 9) are gone: why");
  EXPECT_EQ(json["unsettled"][0]["known"], false);
}

TEST_F(Audit, HostileNamesMoveNoCursor) {
  auto source = source_of("/l/\x1b]0;x\x07\n.log", 10, {{2, 3}});
  source.host = "web\xe2\x80\xae";
  commit({source}, {letter_of(1, "messages [1, 2) are gone\x1b[2J")});
  const auto text =
      run({.format = "table",
           .agent_status = {file("s", R"({"source":")" + id_of("x").hex() +
                                          "\",\"path\":\"\\u001b[2J\",\"shipped_offset\":1}")}});
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(text, Not(HasSubstr("\xe2\x80\xae")));
  EXPECT_THAT(text, HasSubstr("web\\u202e /l/\\x1b]0;x\\x07\\x0a.log: bytes [2, 3), 1 byte"));
}

TEST_F(Audit, WhatIsNoStatusOfAnAgentIsSaidWithItsLine) {
  for (const auto* bad :
       {"SOURCE PATH", "{", "[]", "7", "{}", R"({"source":7,"path":"a","shipped_offset":1})",
        R"({"source":"zz","path":"a","shipped_offset":1})",
        R"({"source":"00000000000000000000000000000001","path":"a","shipped_offset":-1})",
        R"({"source":"00000000000000000000000000000001","path":"a","shipped_offset":1e9})",
        R"({"source":"00000000000000000000000000000001","path":["a"],"shipped_offset":1})"}) {
    const auto parsed = parse_agent_status(status_line("a", 1) + "\n" + bad + "\n", "web1.json");
    ASSERT_FALSE(parsed.has_value()) << bad;
    EXPECT_THAT(parsed.error().what, HasSubstr("web1.json:3: "));
  }
  EXPECT_EQ(run({.format = "table", .agent_status = {file("s", "{")}}), "");
  EXPECT_EQ(code_, kExitInput);
  EXPECT_EQ(run({.format = "table", .agent_status = {folder_ / "none"}}), "");
  EXPECT_EQ(code_, kExitInput);
  EXPECT_EQ(run({.format = "xml", .agent_status = {}}), "");
  EXPECT_EQ(code_, kExitUsage);
}

TEST_F(Audit, AStoreOfAnotherVersionIsNotRead) {
  const auto set = [this](int version) {
    auto connection = connect_sqlite(folder_ / "weir.db", false);
    ASSERT_TRUE(connection.has_value());
    ASSERT_TRUE((*connection)
                    ->query("UPDATE meta SET value = ? WHERE name = ?",
                            {std::int64_t{version}, std::string("schema_version")})
                    .has_value());
  };
  set(kSchemaVersion + 1);
  auto store = open_for_reading(folder_ / "weir.db", "");
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error(), kExitSchemaTooNew);
  set(1);
  store = open_for_reading(folder_ / "weir.db", "");
  ASSERT_FALSE(store.has_value());
  EXPECT_EQ(store.error(), kExitStore);
  EXPECT_THAT(check_readable(*store_).error().hint, HasSubstr("start this weir-aggregator once"));
}

}  // namespace
}  // namespace weir
