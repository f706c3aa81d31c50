// What is known of one source, for whoever looks at the agent.
#pragma once

#include <cstdint>
#include <string>

#include "proto/source_id.h"

namespace weir {

// What the agent knows of one source; also what `weir-agent status` prints.
struct SourceStatus {
  SourceId id;
  std::string path, input;
  std::uint64_t size_bytes = 0;  // of the content, as far as known
  std::uint64_t read_offset = 0;
  std::uint64_t acknowledged_offset = 0;
  std::int64_t last_acknowledged_ms = 0;  // 0: never
  std::string state;                      // "active", "rotated", "gone", "unreadable: ..."
};

}  // namespace weir
