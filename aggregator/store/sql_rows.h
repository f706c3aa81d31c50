// Reads the store's values from rows, where more than one role needs them.
#pragma once

#include <vector>

#include "aggregator/store/sql_row.h"
#include "aggregator/store/states.h"
#include "proto/window.h"

namespace weir {

// A row of `source` as stored; its coverage is complete once the gaps are added.
struct StoredSource {
  std::string id;
  SourceState state;
  std::uint64_t origin = 0, high_water = 0;
};
RowReader& operator>>(RowReader& in, StoredSource& out);
[[nodiscard]] Result<SourceState> with_gaps(StoredSource stored, std::vector<Gap> gaps);

// A row of `source_gap` without its source.
RowReader& operator>>(RowReader& in, Gap& out);

// The columns from requests to latency of a row of `window_traffic`.
struct StoredSum {
  WindowSum sum;
  std::string latency;
};
RowReader& operator>>(RowReader& in, StoredSum& out);
[[nodiscard]] Result<WindowSum> with_latency(StoredSum stored);

}  // namespace weir
