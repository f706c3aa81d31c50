// Opens the store for commands that only read it: `report`, `audit`.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "aggregator/store/store.h"

namespace weir {

// Success: the store can be read. kInvalid: it is newer than this program knows and would be misread.
// kNotFound: it is not a weir store, or it is an older one, which only a program that writes may migrate.
[[nodiscard]] Result<void> check_readable(Ledger& store);

// The SQLite file `store_path` (read-only, never created), or if that is "" the store named in the
// configuration. Mistakes go to stderr; the error is the ExitCode.
struct StoreToRead {
  std::unique_ptr<Store> store;
  std::int64_t window_s = 0;  // as configured; 0: no configuration
};
[[nodiscard]] std::expected<StoreToRead, int> open_for_reading(const std::string& store_path,
                                                               const std::string& config_path);

}  // namespace weir
