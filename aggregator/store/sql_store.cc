#include "aggregator/store/sql_store.h"

#include <thread>

namespace weir {

void sleep_for(std::chrono::milliseconds pause) { std::this_thread::sleep_for(pause); }

std::unique_ptr<Store> make_sql_store(std::unique_ptr<SqlConnection> connection, RetryPause pause) {
  return std::make_unique<SqlStore>(std::move(connection), std::move(pause));
}

}  // namespace weir
