// `weir-aggregator report traffic`: tables, CSV and JSON from the store.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "aggregator/store/traffic.h"

namespace weir {

struct ReportOptions {
  std::string from, to;          // as the API takes them (pages/query.h); "": unbounded
  std::vector<std::string> by;   // "site", "host", "status"
  std::string step = "all";      // "1m", "5m", "1h", "1d", "all"
  std::string format = "table";  // "table", "csv", "json"
  std::string site, host;        // filters; "": all
  std::int64_t window_s = 0;     // as configured; 0: not known
};

// Writes to `out`; returns an ExitCode. Mistakes in the options go to stderr. A step that is not a
// multiple of the window is a mistake, as in the API.
int report_traffic(const Traffic& store, const ReportOptions& options, std::int64_t now_s, std::FILE* out);

// The table that `local` prints when it ends: sites, requests, bytes, 2xx to 5xx, p50/p95/p99; then the
// range of the data, and how many lines could not be read.
[[nodiscard]] Result<std::string> summary_table(const Traffic& store);

}  // namespace weir
