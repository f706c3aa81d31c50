#include "common/sqlite.h"

#include <gtest/gtest.h>

#include <string>

#include "tests/unit/temp_folder.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using Mode = SqliteDatabase::Mode;

TEST(Sqlite, BytesAndNumbersComeBackAsTheyWere) {
  SqliteDatabase database;
  ASSERT_EQ(database.open(":memory:", Mode::kReadWrite, 0ms), SqliteStatus::kOk);
  ASSERT_EQ(database.run("CREATE TABLE t(k INTEGER PRIMARY KEY, b BLOB NOT NULL)"), SqliteStatus::kOk);
  auto insert = database.prepare("INSERT INTO t(k, b) VALUES(?, ?)", true);
  ASSERT_TRUE(insert);
  const std::string bytes("\0\xFF", 2);
  for (const std::string& value : {bytes, std::string()}) {
    insert.bind_number(1, value.empty() ? -1 : 1);
    insert.bind_bytes(2, value);
    EXPECT_EQ(insert.step(), SqliteStatus::kDone);
    insert.reset();
  }
  EXPECT_EQ(database.changed_rows(), 1U);
  auto select = database.prepare("SELECT k, b FROM t ORDER BY k");
  ASSERT_EQ(select.step(), SqliteStatus::kRow);
  EXPECT_EQ(select.column_count(), 2);
  EXPECT_EQ(select.number(0), -1);
  EXPECT_EQ(select.bytes(1), "");
  ASSERT_EQ(select.step(), SqliteStatus::kRow);
  EXPECT_EQ(select.bytes(1), bytes);
  EXPECT_EQ(select.step(), SqliteStatus::kDone);
}

TEST(Sqlite, SaysWhatFailed) {
  SqliteDatabase database;
  ASSERT_EQ(database.open(":memory:", Mode::kReadWrite, 0ms), SqliteStatus::kOk);
  EXPECT_FALSE(database.prepare("SELECT nothing"));
  EXPECT_NE(database.message().find("nothing"), std::string::npos);
  ASSERT_EQ(database.run("CREATE TABLE t(k INTEGER PRIMARY KEY); INSERT INTO t VALUES(1)"),
            SqliteStatus::kOk);
  EXPECT_EQ(database.run("INSERT INTO t VALUES(1)"), SqliteStatus::kConstraint);
  EXPECT_FALSE(database.in_transaction());
  EXPECT_EQ(database.run("BEGIN"), SqliteStatus::kOk);
  EXPECT_TRUE(database.in_transaction());
}

TEST(Sqlite, ReadsNoFileThatDoesNotExist) {
  const testing::TempFolder folder;
  SqliteDatabase database;
  EXPECT_EQ(database.open(folder / "none", Mode::kReadOnly, 0ms), SqliteStatus::kCannotOpen);
  EXPECT_EQ(database.status(), SqliteStatus::kCannotOpen);
}

}  // namespace
}  // namespace weir
