// Adds a commit's windows to the stored rows, within the commit's transaction. Not thread-safe.
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
inline constexpr std::size_t kWindowKeyColumns = 6;  // of window_traffic; the sums follow

class SqlWindows {
 public:
  explicit SqlWindows(SqlConnection& db) : db_(db) {}
  // Reads the rows that may already be stored, adds to them and writes them. The transaction has begun, and
  // its compare-and-set has made this the partition's only writer.
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
  // No stored window of the partition begins later. A value that is too high is still correct.
  struct Newest {
    std::uint64_t epoch = 0;  // 0: not known
    std::int64_t start_s = 0;
  };
  std::map<PartitionKey, Newest> newest_;
  // The statements of the last write(), for that many rows, and their values.
  std::size_t select_rows_ = 0, replace_rows_ = 0;
  std::string select_sql_, replace_sql_;
  std::vector<SqlValue> values_;
};

}  // namespace weir
