// What the engine reports about itself, for /health and /metrics.
#pragma once

#include <cstdint>
#include <string>

namespace weir {

struct EngineStatus {
  std::string problem;  // "" when healthy, else a sentence: "store: connection refused; ..."
  std::uint64_t messages = 0, message_bytes = 0, records = 0, dead_letters = 0;
  std::uint64_t commits = 0, fenced = 0, duplicates_dropped_bytes = 0;
  std::uint64_t pending_bytes = 0;
  std::uint64_t partitions = 0;
  std::int64_t last_commit_ms = 0;  // 0: never
};

}  // namespace weir
