#include "agent/tail/rotation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace weir {
namespace {

TEST(LogFamily, forgets_rotation_suffixes) {
  for (const auto* path :
       {"/l/access.log", "/l/access.log.1", "/l/access.log.2.gz", "/l/access.log-20261123",
        "/l/access.log-20261123.gz", "/l/access.log-2026112304", "/l/access.log-20261123-2",
        "/l/access.log.2026-11-23", "/l/access.log-2026-11-23", "/l/access.log-1700000000",
        "/l/access.log.1.zst", "/l/access.log.2.bz2", "/l/access.log-20261123.bz2"}) {
    EXPECT_EQ(log_family(path), "/l/access.log") << path;
  }
  EXPECT_EQ(log_family("/l.1/a.log"), "/l.1/a.log");
  EXPECT_EQ(log_family("/l/site-12345678.log"), "/l/site-12345678.log");
  EXPECT_EQ(log_family("/l/.1"), "/l/.1") << "never the whole name";
  EXPECT_EQ(log_family(""), "");
}

TEST(OlderGeneration, SortsALogsFilesFromTheOldestToTheNewest) {
  for (std::vector<std::string> sorted :
       {std::vector<std::string>{"/l/a.log.10.gz", "/l/a.log.2.gz", "/l/a.log.1", "/l/a.log"},
        {"/l/a.log-20261122.gz", "/l/a.log-20261123", "/l/a.log-20261124", "/l/a.log"}}) {
    auto mixed = sorted;
    std::reverse(mixed.begin(), mixed.end());
    std::sort(mixed.begin(), mixed.end(), older_generation);
    EXPECT_EQ(mixed, sorted);
  }
}

}  // namespace
}  // namespace weir
