// WindowDelta: what a batch adds to the windows. A commutative monoid:
// fold(A and B together) == merge(fold(A), fold(B)). Pure.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "proto/batch.h"
#include "proto/histogram.h"

namespace weir {

struct WindowKey {
  std::int64_t start_s = 0;  // Unix seconds, a multiple of the window's length
  std::string site;
  std::string host;
  std::uint16_t status = 0;  // 0: not logged
  friend auto operator<=>(const WindowKey&, const WindowKey&) = default;
};

struct WindowSum {
  std::uint64_t requests = 0;
  std::uint64_t bytes_sent = 0;  // of requests that ENDED in the window
  std::uint64_t flow_bytes = 0;  // the same bytes, spread over [end - request_time, end]
  std::uint64_t request_bytes = 0;
  std::uint64_t request_time_ms = 0;   // summed
  std::uint64_t upstream_time_ms = 0;  // summed
  Histogram latency;                   // of request_time_ms, requests that have one
  void merge(const WindowSum& other);
  friend bool operator==(const WindowSum&, const WindowSum&) = default;
};

using WindowDelta = std::map<WindowKey, WindowSum>;  // ordered: rows go in primary-key order
void merge_into(WindowDelta& into, const WindowDelta& delta);

inline constexpr std::string_view kOtherSite = "(other)";
inline constexpr std::string_view kNoSite = "(none)";
inline constexpr std::string_view kInvalidSite = "(invalid)";
inline constexpr std::size_t kMaxSiteBytes = 253;  // RFC 1035, as text

struct FoldConfig {
  std::int64_t window_s = 60;
  // A request that ran longer than this has its flow bytes spread over the last
  // `max_spread_s` only (a hostile request_time must not make a million windows).
  std::int64_t max_spread_s = 6 * 3600;
};

// The site of a record: field "site" of the input when set, else $host lower-cased,
// without port and trailing dot, else $server_name, else kNoSite. Anything that is
// no host name or address (RFC 1123 letters, digits, '-', '.', '_', [IPv6]) is kInvalidSite:
// it was written by a stranger and becomes a key.
[[nodiscard]] std::string site_of(std::string_view host, std::string_view server_name,
                                  std::string_view site_field);

// Folds the records whose lines lie in [first_line, end_line) of the batch.
// bytes_sent is $bytes_sent, else $body_bytes_sent.
void fold(const DecodedBatch& batch, std::uint32_t first_line, std::uint32_t end_line,
          const FoldConfig& config, WindowDelta& into);

}  // namespace weir
