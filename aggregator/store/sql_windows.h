// Adds the windows of a commit to the stored rows, within its transaction. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "aggregator/store/ledger.h"
#include "aggregator/store/sql_connection.h"

namespace weir {

inline constexpr std::string_view kLastWindow =
    "SELECT start_s FROM window_traffic ORDER BY start_s DESC LIMIT 1";
inline constexpr std::size_t kWindowKeyColumns = 6;  // of window_traffic; then come the sums

class SqlWindows {
 public:
  explicit SqlWindows(SqlConnection& db) : db_(db) {}
  // Reads the rows that may be stored, adds to them, writes them. The transaction has begun, and its
  // compare-and-set has made this the only writer of the partition.
  [[nodiscard]] Result<void> write(const Commit& commit);

 private:
  struct WindowRow {
    const WindowKey* key;
    const WindowSum* sum;
  };
  [[nodiscard]] Result<std::int64_t> newest(const Commit& commit);
  [[nodiscard]] Result<void> add_stored(const PartitionKey& partition, std::vector<WindowRow>& rows,
                                        std::vector<WindowSum>& sums);
  [[nodiscard]] Result<void> put(const PartitionKey& partition, const std::vector<WindowRow>& rows);

  SqlConnection& db_;
  // No stored window of the partition begins later. A higher value is correct, too.
  struct Newest {
    std::uint64_t epoch = 0;  // 0: not known
    std::int64_t start_s = 0;
  };
  std::map<PartitionKey, Newest> newest_;
  // The last statements of write(), for that many rows, and their values.
  std::size_t select_rows_ = 0, replace_rows_ = 0;
  std::string select_sql_, replace_sql_;
  std::vector<SqlValue> values_;
};

}  // namespace weir
