// The sums of a range of lines per (window, site, status): the content of a batch of windows. window.h
// computes and adds them. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "proto/histogram.h"
#include "proto/record.h"

namespace weir {

// All sums are modulo 2^64, so the result does not depend on order or grouping, even for forged values.
struct WindowSum {
  std::uint64_t requests = 0;
  std::uint64_t bytes_sent = 0;  // of requests that ended in the window
  std::uint64_t flow_bytes = 0;  // the same bytes, spread over [end - request_time, end]
  std::uint64_t request_bytes = 0;
  std::uint64_t request_time_ms = 0;   // summed
  std::uint64_t upstream_time_ms = 0;  // summed
  Histogram latency;                   // of request_time_ms, for requests that have one
  void merge(const WindowSum& other);
  friend bool operator==(const WindowSum&, const WindowSum&) = default;
};

struct FoldedRow {
  std::int64_t start_s = 0;  // Unix seconds, a multiple of the window's length
  std::uint32_t site = 0;    // index into FoldedLines::sites
  std::uint16_t status = 0;  // 0: not logged
  WindowSum sum;
  friend bool operator==(const FoldedRow&, const FoldedRow&) = default;
};

struct FoldedLines {
  std::int64_t window_s = 0;
  std::uint32_t lines = 0;  // each is counted in one row, or is unparsed or filtered
  std::uint32_t unparsed = 0, filtered = 0;
  std::uint32_t too_long = 0;         // how many of the unparsed lines
  std::vector<UnparsedLine> samples;  // the first kUnparsedSamples unparsed lines
  std::vector<std::string> sites;
  std::vector<FoldedRow> rows;  // ascending by (start_s, site, status)
  friend bool operator==(const FoldedLines&, const FoldedLines&) = default;
};

}  // namespace weir
