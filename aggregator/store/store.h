// The store: everything that warn, pages and report read. MySQL and SQLite have the same tables and give the
// same numbers (docs/reference/store.md). Use the interface of your role, not all three.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "aggregator/store/alerts.h"
#include "aggregator/store/ledger.h"
#include "aggregator/store/traffic.h"
#include "proto/result.h"

namespace weir {

inline constexpr int kSchemaVersion = 3;

// Not thread-safe: one Store per thread, each with its own connection.
class Store : public Ledger, public Traffic, public Alerts {};

// Opens a connection for the caller alone; called again after a failure.
using OpenStore = std::function<Result<std::unique_ptr<Store>>()>;

struct MysqlConfig {
  std::string host = "127.0.0.1";
  std::uint16_t port = 3306;
  std::string socket;  // used instead of host and port
  std::string user = "weir";
  std::string password;
  std::string database = "weir";
  std::string tls_ca;  // if set, TLS is required and the server is verified
  friend bool operator==(const MysqlConfig&, const MysqlConfig&) = default;
};

[[nodiscard]] Result<std::unique_ptr<Store>> open_sqlite(const std::string& path);
// Read-only; never creates the file. For `report`.
[[nodiscard]] Result<std::unique_ptr<Store>> open_sqlite_readonly(const std::string& path);
[[nodiscard]] Result<std::unique_ptr<Store>> open_mysql(const MysqlConfig& config);

}  // namespace weir
