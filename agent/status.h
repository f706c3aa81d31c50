// The agent's status, as reported by /health, metrics and the command line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/ship/output.h"
#include "agent/tail/source_status.h"
#include "common/reload_state.h"

namespace weir {

inline constexpr std::size_t kMaxSourcesShown = 1000;

// What one route (an encoder and its topic) has sent, and how far it is behind.
struct RouteStatus {
  std::string name;              // its codec: "batch", "windows"
  std::string topic;             // "" where the output has none
  std::uint64_t lag_bytes = 0;   // bytes of all sources that this route has not acknowledged
  std::uint64_t wire_bytes = 0;  // bytes of messages handed to the output
  friend bool operator==(const RouteStatus&, const RouteStatus&) = default;
};

struct AgentStatus {
  bool caught_up = false;  // every matching file is read to its end and acknowledged
  std::uint64_t read_lines = 0, read_bytes = 0;
  std::uint64_t shipped_lines = 0, shipped_bytes = 0, shipped_batches = 0, wire_bytes = 0;
  std::uint64_t crowded_batches = 0;  // of windows: closed early because of many sites or windows
  std::uint64_t unparsed_lines = 0, filtered_lines = 0, truncated_lines = 0;
  std::uint64_t in_flight_bytes = 0;
  std::uint64_t backlog_bytes = 0;       // unacknowledged bytes of rotated files
  std::uint64_t lost_bytes = 0;          // bytes that will never be sent; see the registry's losses
  std::uint64_t unseen_truncations = 0;  // files truncated while no agent was running
  std::uint64_t losses_waiting = 0;      // losses that are not acknowledged yet
  OutputStatus output;
  std::vector<RouteStatus> routes;  // at least one
  std::size_t source_count = 0;
  // The first kMaxSourcesShown: each one adds series to the metrics.
  std::vector<SourceStatus> sources;
  ReloadState reload;                 // of the configuration; loaded_at_ms 0: never loaded from a file
  std::vector<std::string> problems;  // "/var/log/x.log: permission denied; ..."
};

}  // namespace weir
