// The store for a command that only reads: `report`, `audit`.
#pragma once

#include <cstdint>
#include <expected>
#include <memory>
#include <string>

#include "aggregator/store/store.h"

namespace weir {

// No error: fit to be read. kInvalid: newer than this program knows, which would be read
// wrongly; kNotFound: not a store of weir, or older, which only a program that writes may change.
[[nodiscard]] Result<void> check_readable(Ledger& store);

// The SQLite file `store_path` (read only, never created), or when that is "" the store that the
// configuration names. Mistakes go to stderr; the error is the ExitCode.
struct StoreToRead {
  std::unique_ptr<Store> store;
  std::int64_t window_s = 0;  // as configured; 0: there is no configuration
};
[[nodiscard]] std::expected<StoreToRead, int> open_for_reading(const std::string& store_path,
                                                               const std::string& config_path);

}  // namespace weir
