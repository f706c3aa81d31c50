// Rows that the ledger writes and readers read: sources, agents, dead letters.
#pragma once

#include <cstdint>
#include <string>

#include "aggregator/partition_key.h"
#include "proto/coverage.h"
#include "proto/source_id.h"

namespace weir {

struct SourceState {
  SourceId id;
  // The row's version. A commit replaces a row only while the row still has the version that was loaded. 0:
  // no row yet.
  std::uint64_t version = 0;
  Coverage coverage;
  std::string agent_id, host, input, path;
  std::uint64_t instance = 0;
  std::uint64_t lines = 0;
  std::uint64_t unparsed = 0;
  std::uint64_t too_long = 0;  // part of `unparsed`: lines cut because they exceed the input's max_line
  std::uint64_t filtered = 0;
  std::int64_t first_seen_ms = 0;
  std::int64_t last_seen_ms = 0;
};

// The values of column `kind`.
enum class DeadLetterKind : std::uint8_t {
  kUnreadable = 0,    // a line or message that could not be read
  kRefused = 1,       // a batch that was read but not counted: it contradicts itself or exceeds a limit
  kMessagesGone = 2,  // the topic dropped messages before they were read
  kOffsetGone = 3,    // the stored offset does not exist in the topic
};

// Messages are lost, not unreadable. Such rows are kept permanently: nothing else records the loss.
[[nodiscard]] constexpr bool says_messages_lost(DeadLetterKind kind) {
  return kind == DeadLetterKind::kMessagesGone || kind == DeadLetterKind::kOffsetGone;
}

struct DeadLetter {
  PartitionKey partition{};
  std::int64_t offset = 0;
  std::uint32_t line = 0;
  DeadLetterKind kind = DeadLetterKind::kUnreadable;
  std::string source{};  // SourceId hex, or ""
  std::string reason{};  // one sentence
  std::string text{};    // at most 512 bytes, raw: escape before display
  std::int64_t seen_ms = 0;
};

struct AgentState {
  std::string agent_id, host;
  std::uint64_t instance = 0;
  std::int64_t last_heartbeat_ms = 0;
  std::int64_t watermark_ms = 0;
  std::uint64_t lag_bytes = 0;
};

}  // namespace weir
