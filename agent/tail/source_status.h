// What is known of one source, for whoever looks at the agent.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/source_id.h"

namespace weir {

enum class FileState : std::uint8_t {
  kActive,     // its path leads to it
  kRotated,    // its path leads to another file, or to none
  kGone,       // it was deleted, and is open
  kTroubled,   // see the sentence beside it
  kTruncated,  // of the registry: was truncated while the agent was away
  kLost,       // of the registry: was deleted or truncated with bytes unread
};
[[nodiscard]] std::string_view to_string(FileState state);

struct FileCondition {
  FileState state = FileState::kActive;
  std::string trouble;  // with kTroubled: "unreadable: ..."
  // One word, or the sentence: as the registry keeps it and `weir-agent status` prints it.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] static FileCondition from_text(std::string text);
  friend bool operator==(const FileCondition&, const FileCondition&) = default;
};

// What the agent knows of one source; also what `weir-agent status` prints.
struct SourceStatus {
  SourceId id;
  std::string path, input;
  std::uint64_t size_bytes = 0;  // of the content, as far as known
  std::uint64_t read_offset = 0;
  std::uint64_t acknowledged_offset = 0;
  std::int64_t last_acknowledged_ms = 0;  // 0: never
  FileCondition state;
};

}  // namespace weir
