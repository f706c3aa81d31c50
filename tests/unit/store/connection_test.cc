// Opening a store, and the errors when that fails.
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

TEST(MysqlStore, AWrongPasswordIsSaidWithUserAndHost) {
  auto config = mysql_config();
  config.password = "wrong";
  const auto refused = open_mysql(config);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_THAT(refused.error().what, HasSubstr("weir"));
  EXPECT_FALSE(refused.error().hint.empty());
  EXPECT_EQ(refused.error().what.find("wrong"), std::string::npos) << "no password in a message";
}

TEST(MysqlStore, ASocketGoesBeforeTheAddress) {
  auto config = mysql_config();
  config.socket = text(connect_mysql(config).value()->query("SELECT @@socket", {}).value()[0][0]);
  config.port = 1;
  const auto store = open_mysql(config);
  ASSERT_TRUE(store.has_value()) << store.error().what;
  EXPECT_TRUE((*store)->migrate().has_value());
  config.socket += ".not";
  const auto refused = open_mysql(config);
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().what, HasSubstr(config.socket));
}

TEST(MysqlStore, AServerThatIsAwayIsUnavailable) {
  auto config = mysql_config();
  config.port = 1;
  const auto refused = open_mysql(config);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kUnavailable);
  EXPECT_THAT(refused.error().what, HasSubstr("127.0.0.1"));
}

TEST(SqliteStore, ForReadingItIsNeverMade) {
  const TempFolder folder;
  const auto missing = open_sqlite_readonly(folder / "weir.db");
  ASSERT_FALSE(missing.has_value());
  EXPECT_THAT(missing.error().what, HasSubstr(folder / "weir.db"));
  EXPECT_FALSE(std::filesystem::exists(folder / "weir.db"));
}

TEST(SqliteStore, AFileThatIsNoDatabaseIsRefusedAndLeftAlone) {
  const TempFolder folder;
  const auto path = folder.write("weir.db", std::string(5000, 'x'));
  auto store = open_sqlite(path);
  const auto refused = store ? (*store)->migrate() : std::unexpected(store.error());
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().what, HasSubstr(path));
  EXPECT_EQ(std::filesystem::file_size(path), 5000U);
}

}  // namespace
}  // namespace weir
