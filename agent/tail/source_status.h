// The status of one source, for reports to the operator.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

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

// The acknowledged offset of one of several routes.
struct RouteOffset {
  std::string route;
  std::uint64_t acknowledged_offset = 0;
  friend bool operator==(const RouteOffset&, const RouteOffset&) = default;
};
// `by_all`: the offset of a route that is not listed.
[[nodiscard]] std::uint64_t offset_of(const std::vector<RouteOffset>& routes, std::string_view route,
                                      std::uint64_t by_all);

// What the agent knows about one source; `weir-agent status` prints it.
struct SourceStatus {
  SourceId id;
  std::string path, input;
  std::uint64_t size_bytes = 0;  // of the content, if known
  std::uint64_t read_offset = 0;
  std::uint64_t acknowledged_offset = 0;  // by all routes
  std::int64_t last_acknowledged_ms = 0;  // 0: never
  FileCondition state;
  std::vector<RouteOffset> routes;  // those ahead of acknowledged_offset
};

}  // namespace weir
