// If a migration fails at any statement, the next start completes it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <random>
#include <thread>

#include "tests/unit/store/faults_fixture.h"
#include "tests/unit/store/version_2.h"

namespace weir {
namespace {

using std::chrono::milliseconds;
using testing::Backend;
using testing::Fault;
using testing::FaultConnection;
using ::testing::HasSubstr;
using testing::mysql_config;
using testing::TempFolder;
using namespace testing::faults;

class MigrationFaultsTest : public StoreFaultsTest {};

TEST_P(MigrationFaultsTest, AMigrationThatFailsAnywhereIsFinishedTheNextTime) {
  const auto make_version_1 = [this] {
    empty();
    play([](std::string_view) { return Fault::kNone; });
    for (const char* statement :
         {"ALTER TABLE source DROP COLUMN version", "ALTER TABLE source_gap DROP COLUMN cause",
          "ALTER TABLE source_gap DROP COLUMN since_ms", "UPDATE meta SET value = 1 WHERE value = 3"})
      sql(statement);
  };
  std::vector<std::string> statements;
  make_version_1();
  ASSERT_TRUE(open([&](std::string_view text) {
                statements.emplace_back(text);
                return Fault::kNone;
              })
                  ->migrate()
                  .has_value());
  const auto expected = tables();
  for (const auto& [name, fault] : kFaults) {
    for (std::size_t at = 0; at < statements.size(); ++at) {
      SCOPED_TRACE(std::string(name) + " at statement " + std::to_string(at) + ": " + statements[at]);
      make_version_1();
      std::size_t count = 0;
      const auto decide = [&, fault = fault](std::string_view) {
        return count++ == at ? fault : Fault::kNone;
      };
      int rounds = 1;
      while (!open(decide)->migrate() && rounds < 5) ++rounds;
      EXPECT_LE(rounds, 2);
      EXPECT_EQ(tables(), expected);
      if (HasFailure()) return;
    }
    if (GetParam() == Backend::kMysql && fault == Fault::kFailAfter) break;  // each takes it a second
  }
}

TEST_P(MigrationFaultsTest, AMigrationFromVersion2ThatFailsAnywhereIsFinishedTheNextTime) {
  const auto make_version_2 = [this] {
    empty();
    for (const char* table : testing::kAllTables) sql(std::string("DROP TABLE IF EXISTS ") + table);
    for (const auto& statement : testing::version_2_statements(GetParam(), WEIR_TEST_DATA)) sql(statement);
  };
  std::vector<std::string> statements;
  make_version_2();
  ASSERT_TRUE(open([&](std::string_view text) {
                statements.emplace_back(text);
                return Fault::kNone;
              })
                  ->migrate()
                  .has_value());
  const auto expected = tables();
  ASSERT_EQ(expected.at("outbox").size(), 2U);
  // A server creates tables slowly, so every fifth statement suffices there.
  const std::size_t stride = GetParam() == Backend::kMysql ? 5 : 1;
  for (const auto& [name, fault] : kFaults) {
    for (std::size_t at = 0; at < statements.size(); at += stride) {
      SCOPED_TRACE(std::string(name) + " at statement " + std::to_string(at) + ": " + statements[at]);
      make_version_2();
      std::size_t count = 0;
      const auto decide = [&, fault = fault](std::string_view) {
        return count++ == at ? fault : Fault::kNone;
      };
      int rounds = 1;
      while (!open(decide)->migrate() && rounds < 5) ++rounds;
      EXPECT_LE(rounds, 2);
      EXPECT_EQ(tables(), expected);
      if (HasFailure()) return;
    }
    if (GetParam() == Backend::kMysql && fault == Fault::kFailAfter) break;  // each takes it a second
  }
}

INSTANTIATE_TEST_SUITE_P(Sqlite, MigrationFaultsTest, ::testing::Values(Backend::kSqlite));
INSTANTIATE_TEST_SUITE_P(Mysql, MigrationFaultsTest, ::testing::Values(Backend::kMysql));

}  // namespace
}  // namespace weir
