// A store written by weir 0.1 with schema version 2, with rows in every table: tests/data/store.
#pragma once

#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "tests/unit/store/backend.h"

namespace weir::testing {

// One statement per line: first those that create the tables, then those that fill them.
inline std::vector<std::string> version_2_statements(Backend backend, const std::string& test_data) {
  std::vector<std::string> out;
  for (const char* name :
       {backend == Backend::kSqlite ? "version-2.sqlite.sql" : "version-2.mysql.sql", "version-2.rows.sql"}) {
    const auto path = test_data + "/store/" + name;
    std::ifstream in(path);
    if (!in) throw std::runtime_error("cannot read " + path);
    for (std::string line; std::getline(in, line);) out.push_back(line);
  }
  return out;
}

inline constexpr const char* kAllTables[] = {
    "meta", "partition_state", "window_traffic", "source", "source_gap",    "dead_letter", "agent", "site",
    "host", "alert",           "outbox",         "lease",  "alert_history", "outbox_2"};

}  // namespace weir::testing
