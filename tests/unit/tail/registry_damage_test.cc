// A registry damaged by a power cut, a full disk, a bad disk or a person. The damage is reported, and the
// agent continues or says what to do. It never crashes, and never trusts half of a registry.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <fstream>
#include <random>

#include "agent/tail/registry.h"
#include "agent/tail/registry_status.h"
#include "tests/unit/temp_folder.h"

namespace weir {
namespace {

using ::testing::HasSubstr;
using testing::TempFolder;

constexpr int kEntries = 200;

RegistryEntry entry_of(int number) {
  RegistryEntry entry;
  entry.id = make_source_id("web1", "/l/access.log", std::to_string(number));
  entry.path = "/l/access.log." + std::to_string(number);
  entry.input = "web";
  entry.inode = static_cast<std::uint64_t>(number);
  entry.acknowledged_offset = entry.size_bytes = 1000U + static_cast<std::uint64_t>(number);
  entry.tail_hash = "12345678";
  entry.state = {FileState::kActive, {}};
  return entry;
}

std::string read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void run_sql(const std::string& file, const std::string& sql) {
  sqlite3* raw = nullptr;
  ASSERT_EQ(sqlite3_open(file.c_str(), &raw), SQLITE_OK);
  char* wrong = nullptr;
  EXPECT_EQ(sqlite3_exec(raw, sql.c_str(), nullptr, nullptr, &wrong), SQLITE_OK)
      << (wrong != nullptr ? wrong : "");
  sqlite3_free(wrong);
  sqlite3_close(raw);
}

class RegistryDamage : public ::testing::Test {
 protected:
  RegistryDamage() {
    const auto registry = std::move(*Registry::open(state_));
    instance_ = registry->instance();
    for (int i = 0; i < kEntries; ++i) registry->put(entry_of(i));
    EXPECT_TRUE(registry->flush().has_value());
  }

  // Opens it and checks what it accepts: an entry equals what was written, or is missing. Returns the number
  // of entries; -1: refused with an error message.
  int opens_to(std::string* note = nullptr) {
    const auto registry = Registry::open(state_);
    if (!registry) {
      EXPECT_THAT(registry.error().what, HasSubstr(file_));
      EXPECT_NE(registry.error().hint, "") << registry.error().what;
      return -1;
    }
    EXPECT_NE((*registry)->instance(), 0U);
    if (note != nullptr) *note = (*registry)->note();
    int found = 0;
    for (int i = 0; i < kEntries; ++i) {
      const auto want = entry_of(i);
      const auto* entry = (*registry)->find(want.id);
      if (entry == nullptr) continue;
      ++found;
      EXPECT_EQ(entry->acknowledged_offset, want.acknowledged_offset);
      EXPECT_EQ(entry->path, want.path);
      EXPECT_EQ(entry->tail_hash, want.tail_hash);
    }
    // It works from here on.
    (*registry)->put(entry_of(kEntries));
    const auto flushed = (*registry)->flush();
    EXPECT_TRUE(flushed.has_value()) << flushed.error().what;
    return found;
  }
  // Nothing of it is trusted, the agent continues, and a message says where the old file is.
  void is_put_aside() {
    std::string note;
    EXPECT_EQ(opens_to(&note), 0);
    EXPECT_THAT(note, HasSubstr(file_ + ".damaged"));
    EXPECT_TRUE(std::filesystem::exists(file_ + ".damaged"));
    const auto registry = std::move(*Registry::open(state_));
    EXPECT_NE(registry->instance(), instance_) << "another memory is another instance";
    EXPECT_EQ(registry->note(), "") << "said once";
    EXPECT_NE(registry->find(entry_of(kEntries).id), nullptr);
  }

  TempFolder folder_;
  std::string state_ = folder_ / "state";
  std::string file_ = state_ + "/registry";
  std::uint64_t instance_ = 0;
};

TEST_F(RegistryDamage, OfGarbageIsPutAside) {
  std::mt19937 random(1);
  std::string garbage(16'384, '\0');
  for (auto& c : garbage) c = static_cast<char>(random());
  folder_.write("state/registry", garbage);
  is_put_aside();
  EXPECT_EQ(read(file_ + ".damaged"), garbage);
}

TEST_F(RegistryDamage, OfZeroedPagesIsPutAside) {
  // As left by a file system that lost the blocks but kept the length.
  const auto whole = read(file_);
  for (const std::size_t page : {2UL, whole.size() / 4096 / 2, whole.size() / 4096 - 1}) {
    SCOPED_TRACE(page);
    auto torn = whole;
    torn.replace(page * 4096, 4096, std::string(4096, '\0'));
    for (const char* beside : {"-wal", "-shm", ".damaged"}) std::filesystem::remove(file_ + beside);
    folder_.write("state/registry", torn);
    is_put_aside();
  }
}

TEST_F(RegistryDamage, OfNothingIsBegunAnew) {
  folder_.write("state/registry", "");
  EXPECT_EQ(opens_to(), 0);
  EXPECT_NE(std::move(*Registry::open(state_))->instance(), instance_);
}

TEST_F(RegistryDamage, CutAnywhereIsPutAsideOrBegunAnewNeverHalfBelieved) {
  const auto whole = read(file_);
  for (std::size_t size = 0; size < whole.size(); size += 1 + whole.size() / 40) {
    SCOPED_TRACE(size);
    for (const char* beside : {"-wal", "-shm", ".damaged"}) std::filesystem::remove(file_ + beside);
    folder_.write("state/registry", std::string_view(whole).substr(0, size));
    EXPECT_EQ(opens_to(), 0);
    EXPECT_EQ(std::filesystem::exists(file_ + ".damaged"), size > 0);
  }
}

TEST_F(RegistryDamage, WithAFlippedBitIsReadOrPutAsideAndNeverLies) {
  const auto whole = read(file_);
  std::mt19937 random(2);
  int put_aside = 0;
  for (int round = 0; round < 150; ++round) {
    auto flipped = whole;
    // In the first pages, which hold the structure, or anywhere.
    const auto at = random() % (round % 2 == 0 ? 4096 : whole.size());
    flipped[at] = static_cast<char>(static_cast<unsigned char>(flipped[at]) ^ 1U << random() % 8);
    for (const char* beside : {"-wal", "-shm", ".damaged"}) std::filesystem::remove(file_ + beside);
    folder_.write("state/registry", flipped);
    const auto registry = Registry::open(state_);
    if (!registry) {
      EXPECT_NE(registry.error().hint, "") << at << ": " << registry.error().what;
      continue;
    }
    put_aside += (*registry)->note().empty() ? 0 : 1;
    // SQLite cannot detect a flipped bit in a value, only one in the structure.
    (*registry)->put(entry_of(kEntries));
    const auto flushed = (*registry)->flush();
    EXPECT_TRUE(flushed.has_value()) << at << ": " << flushed.error().what;
  }
  EXPECT_GT(put_aside, 0);
}

TEST_F(RegistryDamage, OfAGarbageLogIsReadWithoutIt) {
  std::mt19937 random(3);
  std::string garbage(20'000, '\0');
  for (auto& c : garbage) c = static_cast<char>(random());
  folder_.write("state/registry-wal", garbage);
  folder_.write("state/registry-shm", garbage.substr(0, 5'000));
  EXPECT_EQ(opens_to(), kEntries);
}

TEST_F(RegistryDamage, OfALogThatEndsInTheMiddleIsWhatWasWrittenWhole) {
  // A crash: the log exists, its last transaction is torn.
  std::string log;
  std::string before;
  {
    const auto registry = std::move(*Registry::open(state_));
    registry->put(entry_of(kEntries));
    ASSERT_TRUE(registry->flush().has_value());
    const auto whole_until = std::filesystem::file_size(file_ + "-wal");
    for (int i = 1; i < 100; ++i) registry->put(entry_of(kEntries + i));
    ASSERT_TRUE(registry->flush().has_value());
    log = read(file_ + "-wal").substr(0, whole_until + 6'000);
    before = read(file_);
  }
  folder_.write("state/registry", before);
  folder_.write("state/registry-wal", log);
  std::filesystem::remove(file_ + "-shm");
  const auto registry = std::move(*Registry::open(state_));
  EXPECT_EQ(registry->instance(), instance_);
  EXPECT_NE(registry->find(entry_of(0).id), nullptr);
  EXPECT_NE(registry->find(entry_of(kEntries).id), nullptr) << "its transaction was whole";
  EXPECT_EQ(registry->find(entry_of(kEntries + 1).id), nullptr) << "of a torn one nothing";
}

TEST_F(RegistryDamage, WithTablesOfSomebodyElseIsPutAside) {
  const struct {
    const char* name;
    const char* sql;
  } kCases[] = {
      {"other columns", "DROP TABLE source; CREATE TABLE source(id TEXT PRIMARY KEY, path TEXT)"},
      {"a type of no text",
       "PRAGMA writable_schema=ON; UPDATE sqlite_schema SET sql = replace(sql, 'source(id TEXT', 'source(id "
       "NUMBER')"},
      {"a trigger", "CREATE TRIGGER t AFTER INSERT ON source BEGIN DELETE FROM source; END"},
      {"a view that never ends",
       "DROP TABLE source; CREATE VIEW source AS WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 "
       "FROM n)"
       " SELECT id, '' AS path, '' AS input, 0 AS device, 0 AS inode, 0 AS partition, 0 AS origin,"
       " 0 AS acknowledged_offset, 0 AS size_bytes, '' AS tail_hash, 0 AS last_acknowledged_ms, '' AS state,"
       " '' AS base, '' AS line_hash, 0 AS birth_ns, 0 AS seen_ms, 0 AS sent_offset, '' AS sent_tail_hash "
       "FROM n"},
      {"no version", "DELETE FROM meta WHERE name = 'version'"},
      {"a version that is none", "UPDATE meta SET value = 'two' WHERE name = 'version'"},
  };
  const auto whole = read(file_);
  for (const auto& row : kCases) {
    SCOPED_TRACE(row.name);
    for (const char* beside : {"-wal", "-shm", ".damaged"}) std::filesystem::remove(file_ + beside);
    folder_.write("state/registry", whole);
    run_sql(file_, row.sql);
    is_put_aside();
  }
}

TEST_F(RegistryDamage, WithNumbersAndNamesThatAreNoneForgetsJustThose) {
  run_sql(file_,
          "UPDATE source SET id = 'not hex' WHERE inode = 1; UPDATE source SET id = '' WHERE inode = 2");
  EXPECT_EQ(opens_to(), kEntries - 2);
}

TEST_F(RegistryDamage, OfTheFirstVersionIsReadWithAllThatItKnew) {
  for (const char* beside : {"", "-wal", "-shm"}) std::filesystem::remove(file_ + beside);
  run_sql(file_,
          R"(
    CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE source(id TEXT PRIMARY KEY, path TEXT NOT NULL, input TEXT NOT NULL, device INTEGER NOT NULL,
      inode INTEGER NOT NULL, partition INTEGER NOT NULL, origin INTEGER NOT NULL,
      acknowledged_offset INTEGER NOT NULL, size_bytes INTEGER NOT NULL, tail_hash BLOB NOT NULL,
      last_acknowledged_ms INTEGER NOT NULL, state TEXT NOT NULL) WITHOUT ROWID;
    INSERT INTO meta VALUES('version', '1'), ('instance', '77');
    INSERT INTO source VALUES(')" +
              entry_of(5).id.hex() +
              R"(', '/l/access.log.5', 'web', 1, 5, 2, 0, 1005, 1005, x'3132333435363738', 9, 'active'))");
  for (int start = 0; start < 2; ++start) {
    const auto registry = Registry::open(state_);
    ASSERT_TRUE(registry.has_value()) << registry.error().what;
    EXPECT_EQ((*registry)->instance(), 77U);
    EXPECT_EQ((*registry)->note(), "");
    const auto* entry = (*registry)->find(entry_of(5).id);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->acknowledged_offset, 1005U);
    EXPECT_EQ(entry->partition, 2);
    EXPECT_EQ(entry->tail_hash, "12345678");
    EXPECT_FALSE(entry->cuts_known);
  }
}

TEST_F(RegistryDamage, OfTheSecondVersionIsReadAndKnowsNoCuts) {
  run_sql(file_,
          "ALTER TABLE source DROP COLUMN cuts; ALTER TABLE source DROP COLUMN routes; UPDATE meta SET value "
          "= '2' WHERE name = 'version';"
          "PRAGMA wal_checkpoint(TRUNCATE)");
  for (int start = 0; start < 2; ++start) {
    const auto registry = Registry::open(state_);
    ASSERT_TRUE(registry.has_value()) << registry.error().what;
    EXPECT_EQ((*registry)->note(), "");
    EXPECT_EQ((*registry)->entries().size(), kEntries);
    EXPECT_FALSE((*registry)->entries().begin()->second.cuts_known);
  }
}

// Written by weir-agent 0.1.0, when it had one acknowledged offset for all routes.
TEST_F(RegistryDamage, OfTheThirdVersionIsReadWithItsOneOffsetForAllRoutes) {
  for (const char* beside : {"-wal", "-shm"}) std::filesystem::remove(file_ + beside);
  std::filesystem::copy_file(std::string(WEIR_TEST_DATA) + "/registry/v3.registry", file_,
                             std::filesystem::copy_options::overwrite_existing);
  const auto id = *SourceId::from_hex("6be539a66d66424611fd7fb17fbc7cd5");
  for (int start = 0; start < 2; ++start) {
    const auto registry = Registry::open(state_);
    ASSERT_TRUE(registry.has_value()) << registry.error().what;
    EXPECT_EQ((*registry)->note(), "");
    EXPECT_EQ((*registry)->instance(), 9405530057185309868U);
    const auto* entry = (*registry)->find(id);
    ASSERT_NE(entry, nullptr);
    EXPECT_EQ(entry->acknowledged_offset, 228U);
    EXPECT_EQ(entry->sent_offset, 228U);
    EXPECT_EQ(entry->tail_hash.size(), 16U);
    EXPECT_EQ(entry->state.state, FileState::kActive);
    EXPECT_TRUE(entry->routes.empty());
    auto ahead = *entry;
    ahead.routes = {{"batch", 300}, {"windows", 228}};
    (*registry)->put(ahead);
    ASSERT_TRUE((*registry)->flush());
    const auto read_back = read_registry(state_);
    ASSERT_TRUE(read_back);
    EXPECT_EQ(read_back->entries.front().routes, ahead.routes);
    ahead.routes.clear();
    (*registry)->put(ahead);
    ASSERT_TRUE((*registry)->flush());
  }
}

TEST_F(RegistryDamage, InTheOffsetsOfRoutesLeavesAllOfThemAtTheCommonOne) {
  for (const std::string text :
       {"batch", "batch=", "=5", "batch=x", "batch=99999999999999999999", "batch=1 "}) {
    run_sql(file_, "UPDATE source SET routes = '" + text + "', cuts = x'01'");
    const auto content = read_registry(state_);
    ASSERT_TRUE(content) << text;
    for (const auto& entry : content->entries) {
      EXPECT_TRUE(entry.routes.empty()) << text;
      EXPECT_FALSE(entry.cuts_known) << text;
    }
  }
}

TEST_F(RegistryDamage, OfANewerVersionIsRefusedAndLeftAlone) {
  run_sql(file_, "UPDATE meta SET value = '999' WHERE name = 'version'; PRAGMA wal_checkpoint(TRUNCATE)");
  const auto before = read(file_);
  const auto refused = Registry::open(state_);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Code::kInvalid);
  EXPECT_THAT(refused.error().what, HasSubstr("999"));
  EXPECT_EQ(read(file_), before);
  EXPECT_FALSE(std::filesystem::exists(file_ + ".damaged"));
}

// Permissions do not restrict root, and tests may run as root.
class WithoutRoot {
 public:
  WithoutRoot() {
    if (::geteuid() == 0 && ::seteuid(65534) != 0) std::abort();
  }
  ~WithoutRoot() {
    if (::getuid() == 0 && ::seteuid(0) != 0) std::abort();
  }
  WithoutRoot(const WithoutRoot&) = delete;
  WithoutRoot& operator=(const WithoutRoot&) = delete;
};

TEST_F(RegistryDamage, InAReadOnlyFolderIsSaidWithTheRightThatIsMissing) {
  namespace fs = std::filesystem;
  fs::permissions(folder_.path(), fs::perms::all);
  fs::permissions(state_, fs::perms::owner_read | fs::perms::owner_exec | fs::perms::others_read |
                              fs::perms::others_exec);
  for (const auto& file : fs::directory_iterator(state_))
    fs::permissions(file.path(), fs::perms::owner_read | fs::perms::others_read);
  const auto before = read(file_);
  {
    const WithoutRoot nobody;
    const auto refused = Registry::open(state_);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Code::kIo);
    EXPECT_THAT(refused.error().what, HasSubstr(state_));
    EXPECT_THAT(refused.error().hint, HasSubstr("state_dir"));
  }
  EXPECT_EQ(read(file_), before);
  EXPECT_FALSE(fs::exists(file_ + ".damaged"));
  fs::permissions(state_, fs::perms::all);
}

TEST_F(RegistryDamage, ThatMayNotBeWrittenIsRefusedNotPutAside) {
  namespace fs = std::filesystem;
  fs::permissions(folder_.path(), fs::perms::all);
  fs::permissions(state_, fs::perms::all);
  for (const auto& file : fs::directory_iterator(state_)) fs::permissions(file.path(), fs::perms::all);
  fs::permissions(file_, fs::perms::owner_read | fs::perms::others_read);
  {
    const WithoutRoot nobody;
    const auto refused = Registry::open(state_);
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().code, Code::kIo);
    EXPECT_THAT(refused.error().what, HasSubstr(file_));
    EXPECT_NE(refused.error().hint, "");
  }
  EXPECT_FALSE(fs::exists(file_ + ".damaged")) << "what cannot be read is not what is damaged";
  EXPECT_EQ(opens_to(), kEntries);
}

TEST_F(RegistryDamage, ThatIsAFolderIsSaid) {
  for (const char* beside : {"", "-wal", "-shm"}) std::filesystem::remove(file_ + beside);
  std::filesystem::create_directory(file_);
  EXPECT_EQ(opens_to(), -1);
}

TEST_F(RegistryDamage, IsSaidToStatusWhichChangesNothing) {
  folder_.write("state/registry", std::string(4096, 'x'));
  const auto rows = read_registry_status(state_);
  ASSERT_FALSE(rows.has_value());
  EXPECT_THAT(rows.error().what, HasSubstr(file_));
  EXPECT_EQ(read(file_), std::string(4096, 'x'));
}

TEST_F(RegistryDamage, AndOneOfAnEarlierVersionAreNotMistakenForEachOtherByStatus) {
  run_sql(file_, "ALTER TABLE source DROP COLUMN sent_tail_hash");
  const auto rows = read_registry_status(state_);
  ASSERT_FALSE(rows.has_value());
  EXPECT_EQ(rows.error().code, Code::kInvalid);
  EXPECT_THAT(rows.error().hint, HasSubstr("start weir-agent once"));
}

}  // namespace
}  // namespace weir
