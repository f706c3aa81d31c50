// `weir-aggregator report traffic`: tables, CSV and JSON from the store.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "aggregator/store/traffic.h"

namespace weir {

struct ReportOptions {
  std::string from, to;          // in the API's notation (pages/query.h); "": unbounded
  std::vector<std::string> by;   // "site", "host", "status"
  std::string step = "all";      // "1m", "5m", "1h", "1d", "all"
  std::string format = "table";  // "table", "csv", "json"
  std::string site, host;        // filters; "": all
  std::int64_t window_s = 0;     // as configured; 0: unknown
};

// Writes to `out` and returns an ExitCode. Mistakes in the options go to stderr. As in the API, the step must
// be a multiple of the window.
int report_traffic(const Traffic& store, const ReportOptions& options, std::int64_t now_s, std::FILE* out);

// The table that `local` prints at its end: sites, requests, bytes, 2xx to 5xx, p50/p95/p99; below it the
// time range of the data, and how many lines could not be parsed.
[[nodiscard]] Result<std::string> summary_table(const Traffic& store);

}  // namespace weir
