// Creating and migrating the tables.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <thread>

#include "tests/unit/store/store_fixture.h"

namespace weir {
namespace {

using testing::Backend;
using testing::commit_of;
using ::testing::HasSubstr;
using testing::kPartition;
using testing::mysql_config;
using testing::sum_of;
using testing::TempFolder;
using testing::total_requests;

class SchemaTest : public testing::StoreTest {};

TEST_P(SchemaTest, ASchemaOfVersion1IsMigrated) {
  const auto owned = store().acquire(kPartition, "one").value();
  SourceState source;
  source.id = make_source_id("web1", "a.log", "first");
  source.coverage.add({0, 100}, 0);
  source.coverage.add({200, 300}, 0);
  source.last_seen_ms = 4711;
  auto commit = commit_of(owned, 10, {});
  commit.sources = {source};
  ASSERT_TRUE(store().commit(commit).has_value());
  for (const char* statement :
       {"ALTER TABLE source DROP COLUMN version", "ALTER TABLE source DROP COLUMN too_long",
        "ALTER TABLE source_gap DROP COLUMN cause", "ALTER TABLE source_gap DROP COLUMN since_ms",
        "UPDATE meta SET value = 1 WHERE value = 3"})
    sql(statement);
  store_ = open();
  ASSERT_TRUE(store().migrate().has_value());
  auto found = store().load_sources({source.id});
  ASSERT_TRUE(found.has_value()) << found.error().what;
  EXPECT_EQ(found->front().version, 1U);
  EXPECT_EQ(found->front().coverage.gaps(), (std::vector<Gap>{{100, 200, LossCause::kNotReceived, 4711}}));
  ASSERT_TRUE(store().migrate().has_value()) << "a second time changes nothing";
  found->front().coverage.add({100, 200}, 0);
  commit.epoch = store().acquire(kPartition, "one")->epoch;
  commit.expected_next_offset = 10;
  commit.next_offset = 11;
  commit.sources = *found;
  EXPECT_TRUE(store().commit(commit).has_value());
}

TEST_P(SchemaTest, AStoreOfVersion2IsMigratedWithAllItHas) {
  for (const char* table : testing::kAllTables) sql(std::string("DROP TABLE IF EXISTS ") + table);
  for (const auto& statement : testing::version_2_statements(GetParam(), WEIR_TEST_DATA)) sql(statement);
  store_ = open();
  ASSERT_TRUE(store().migrate().has_value());
  EXPECT_EQ(store().schema_version().value(), kSchemaVersion);

  // Ledger and traffic: unchanged.
  const auto owned = store().acquire(kPartition, "two").value();
  EXPECT_EQ(owned.epoch, 2U);
  EXPECT_EQ(owned.next_offset, 1);
  EXPECT_EQ(owned.cluster_id, "cluster");
  EXPECT_EQ(owned.leader_epoch, 4);
  const auto sources = store().all_sources(10).value();
  ASSERT_EQ(sources.size(), 1U);
  EXPECT_EQ(sources.front().path, "/var/log/nginx/access.log");
  EXPECT_EQ(sources.front().coverage.gaps(),
            (std::vector<Gap>{{100, 160, LossCause::kTruncatedUnread, 1'764'000'000'000}}));
  EXPECT_EQ(sources.front().lines, 6U);
  EXPECT_EQ(total_requests(store()), 6U);
  EXPECT_EQ(store().sites().value(), (std::vector<std::string>{"shop.example"}));
  EXPECT_EQ(store().hosts().value(), (std::vector<std::string>{"web1.example"}));
  EXPECT_EQ(store().agents().value().front().lag_bytes, 55U);

  // Dead letters have a kind, derived from the reason.
  std::map<std::int64_t, DeadLetterKind> kinds;
  const auto letters = store().dead_letters(10).value();
  EXPECT_EQ(letters.total, 6U);
  for (const auto& letter : letters.newest) {
    kinds[letter.offset] = letter.kind;
    EXPECT_EQ(letter.text, std::string("\0\xffsample", 8));
  }
  EXPECT_EQ(kinds, (std::map<std::int64_t, DeadLetterKind>{{5, DeadLetterKind::kMessagesGone},
                                                           {20, DeadLetterKind::kOffsetGone},
                                                           {21, DeadLetterKind::kRefused},
                                                           {22, DeadLetterKind::kRefused},
                                                           {23, DeadLetterKind::kRefused},
                                                           {24, DeadLetterKind::kUnreadable}}));
  EXPECT_EQ(store().lost_offsets(10)->size(), 2U);

  // Alerts keep their state; the lease stored among them is gone, and the old mails wait to be sent.
  EXPECT_EQ(store().alerts().value(),
            (std::vector<AlertState>{{"flood", "shop.example", AlertPhase::kFiring, 1'764'000'000, 12.5},
                                     {"flood", "www.example", AlertPhase::kOk, 1'764'000'000, 0.25}}));
  EXPECT_TRUE(sql("SELECT subject FROM alert WHERE state = 'lease'").empty());
  const auto mails = store().claim_letters("mail", 1'764'000'005'000, 1000, 10).value();
  ASSERT_EQ(mails.size(), 2U);
  EXPECT_EQ(mails[0].id, 3);
  EXPECT_EQ(mails[0].address, "Ops <ops@example.org>");
  EXPECT_EQ(mails[0].payload, "[weir] critical flood: site shop.example\nGröße\n.dot\n");
  EXPECT_EQ(mails[0].created_ms, 1'764'000'000'000);
  EXPECT_EQ(mails[0].attempts, 2U);
  EXPECT_EQ(mails[0].last_error, "refused");
  EXPECT_EQ(mails[1].payload, "two\n");
  ASSERT_TRUE(store().save_alerts({.letters = {mails[0]}}));
  EXPECT_EQ(sql("SELECT MAX(id) FROM outbox"), (std::vector<SqlRow>{{std::int64_t{5}}}))
      << "ids go on where version 2 left them";

  ASSERT_TRUE(store().migrate().has_value()) << "a second time changes nothing";
  EXPECT_EQ(store().letters_waiting().value().at("mail"), 3U);
  EXPECT_TRUE(store().commit(commit_of(owned, 2, {{{600, "a", "web1", 200}, sum_of(1, 1)}})).has_value());
}

TEST_P(SchemaTest, ANewerSchemaIsRefusedAndLeftAlone) {
  sql("UPDATE meta SET value = 999");
  const auto refused = open()->migrate();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_THAT(refused.error().what, HasSubstr("999"));
  EXPECT_THAT(refused.error().hint, HasSubstr("newer"));
}

TEST_P(SchemaTest, EveryoneMayMigrateAtOnce) {
  for (const char* table : {"meta", "window_traffic", "outbox"}) sql(std::string("DROP TABLE ") + table);
  std::vector<std::thread> threads;
  std::atomic<int> failed = 0;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      const auto own = open();
      for (int n = 0; n < 2; ++n) {
        const auto done = own->migrate();
        if (!done) ++failed;
        EXPECT_TRUE(done.has_value()) << done.error().what;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(failed, 0);
  EXPECT_EQ(sql("SELECT * FROM meta").size(), 3U);
}

INSTANTIATE_TEST_SUITE_P(Sqlite, SchemaTest, ::testing::Values(Backend::kSqlite));
INSTANTIATE_TEST_SUITE_P(Mysql, SchemaTest, ::testing::Values(Backend::kMysql));

}  // namespace
}  // namespace weir
