// The status of one source, for reports to the operator.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "proto/source_id.h"

namespace weir {

enum class FileState : std::uint8_t {
  kActive,     // its path leads to its file
  kRotated,    // its path leads to another file, or to none
  kGone,       // its file was deleted but is still open
  kTroubled,   // see `trouble`
  kTruncated,  // on record: truncated while the agent was not running
  kLost,       // on record: deleted or truncated with unread bytes
};
[[nodiscard]] std::string_view to_string(FileState state);

struct FileCondition {
  FileState state = FileState::kActive;
  std::string trouble;  // with kTroubled: "unreadable: ..."
  // One word or the sentence, as the registry stores it and `weir-agent status` prints it.
  [[nodiscard]] std::string text() const;
  [[nodiscard]] static FileCondition from_text(std::string text);
  friend bool operator==(const FileCondition&, const FileCondition&) = default;
};

// What the agent knows about one source; `weir-agent status` prints it.
struct SourceStatus {
  SourceId id;
  std::string path, input;
  std::uint64_t size_bytes = 0;  // of the content, if known
  std::uint64_t read_offset = 0;
  std::uint64_t acknowledged_offset = 0;
  std::int64_t last_acknowledged_ms = 0;  // 0: never
  FileCondition state;
};

}  // namespace weir
