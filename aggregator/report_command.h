// `weir-aggregator report traffic`: tables, CSV and JSON from the store.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "aggregator/store/store.h"

namespace weir {

struct ReportOptions {
  std::string from,
      to;  // ISO 8601 UTC, "2026-11-23", "2026-11-23T10:00:00Z", or "-24h" before now; "": unbounded
  std::vector<std::string> by;   // "site", "host", "status"
  std::string step = "all";      // "1m", "5m", "1h", "1d", "all"
  std::string format = "table";  // "table", "csv", "json"
  std::string site, host;        // filters; "": all
};

// Writes to `out`; returns an ExitCode. Mistakes in the options go to stderr.
int report_traffic(Store& store, const ReportOptions& options, std::int64_t now_s, std::FILE* out);

// The table that `local` prints at its end: sites, requests, bytes, 2xx..5xx, p50/p95/p99; then
// the time that it is of, and how many lines could not be read.
[[nodiscard]] Result<std::string> summary_table(Store& store);

}  // namespace weir
