// The MariaDB that tests/parts/with-mariadb starts for us.
#pragma once

#include <cstdlib>
#include <sstream>
#include <stdexcept>

#include "aggregator/store/store.h"

namespace weir::testing {

enum class Backend { kSqlite, kMysql };

inline MysqlConfig mysql_config() {
  MysqlConfig config;
  const char* facts = std::getenv("WEIR_TEST_MYSQL");
  const char* password = std::getenv("WEIR_TEST_MYSQL_PASSWORD");
  if (facts == nullptr || password == nullptr)
    throw std::runtime_error("run this by tests/parts/with-mariadb");
  std::istringstream(facts) >> config.port >> config.user >> config.database;
  config.password = password;
  return config;
}

}  // namespace weir::testing
