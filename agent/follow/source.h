// One file that the agent follows, with its state in the lanes, claims and routes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/follow/route_ranges.h"
#include "agent/format/parser.h"
#include "agent/tail/content.h"
#include "agent/tail/line_reader.h"
#include "agent/tail/source_status.h"
#include "agent/tail/tail_config.h"
#include "proto/source_id.h"

namespace weir {

// Where the source waits for its turn. Only Lanes writes it.
class LanePlace {
 public:
  [[nodiscard]] bool rotated() const { return rotated_; }  // its turns count for the backlog

 private:
  friend class Lanes;
  bool waits_ = false, rotated_ = false;
};

// What was claimed of the source. Only Claims writes it.
class ClaimPlace {
  friend class Claims;
  std::uint64_t offset_ = 0;   // everything before it was claimed, and the claim acknowledged
  std::int64_t first_ms_ = 0;  // when that was first acknowledged, by the monotonic clock
  std::int64_t last_ms_ = 0;   // and when it was last acknowledged
  bool in_flight_ = false;
};

// Why reading of a source has stopped.
struct Trouble {
  enum class Kind : std::uint8_t {
    kNone,
    kUnreadable,        // the system returns errors
    kWaitsForRegistry,  // it may be sent only once the registry has recorded it
    kIncomplete,        // a compressed file that ends prematurely
  };
  Kind kind = Kind::kNone;
  std::string text;  // a sentence
  [[nodiscard]] bool none() const { return kind == Kind::kNone; }
};

struct Source {
  // Its identity.
  SourceId id;
  SourceId base;          // without a look-alike's salt
  std::string line_hash;  // hash of its first data line
  std::string path;
  // The names that it has had, newest last. A new file under one of them is not a copy of it.
  std::vector<std::string> names;
  const InputConfig* input = nullptr;
  std::uint64_t origin = 0;
  std::int32_t partition = -1;

  // Its file.
  std::shared_ptr<Content> content;
  FileFacts facts;       // as of the last check
  bool present = true;   // its path led to it at the last scan, or that could not be determined
  bool by_link = false;  // its path is a symbolic link
  // The folder of the file that its path leads to; files in one folder share it. null: not determined yet.
  std::shared_ptr<const std::string> folder;
  std::int64_t quiet_since_ms = 0;       // start of the quiet time without a name; 0: it has a name
  std::int64_t unreadable_since_ms = 0;  // by the monotonic clock; 0: it can be read
  Trouble trouble;

  // Its reader.
  std::shared_ptr<LineParser> parser;  // the input's, unless '#' lines control how later lines are read
  LineReader reader;
  bool unread = false;  // it may have unread bytes
  std::int64_t unread_since_ms = 0;
  std::int64_t retry_at_ms = 0;         // after a failure, by the monotonic clock
  std::uint64_t batch_limit_bytes = 0;  // 0: as configured; less if the topic refuses larger batches

  // Its ranges.
  RouteRanges sent;
  bool sent_before = false;  // since the agent started
  // Shipped as windows, and the registry knows where those in flight end. While this is false, bytes below
  // records_until may have been sent as records with arbitrary ends, so they are sent as records again.
  bool cuts_known = false;
  std::uint64_t records_until = 0;
  bool had_cuts = false;        // is now shipped as records but was shipped as windows
  std::int64_t crowded_ms = 0;  // when its last batch was closed early
  std::int64_t last_event_ms = kNoTime;
  std::int64_t last_acknowledged_ms = 0;

  LanePlace lane;
  ClaimPlace claim;
  bool unsaved = false;  // only SourceTable writes it

  void rename(const std::string& name) {
    constexpr std::size_t kMaxNames = 16;
    path = name;
    std::erase(names, name);
    names.push_back(name);
    if (names.size() > kMaxNames) names.erase(names.begin());
  }
  [[nodiscard]] bool drained() const { return !unread && sent.idle() && !sent.failed(); }
  [[nodiscard]] bool unreadable() const { return trouble.kind == Trouble::Kind::kUnreadable; }
  // The size of the content, as far as known.
  [[nodiscard]] std::uint64_t size() const {
    return content->compressed() ? reader.position() : std::max(facts.size_bytes, reader.position());
  }
  [[nodiscard]] FileCondition condition() const {
    if (!trouble.none()) return {FileState::kTroubled, trouble.text};
    if (facts.links == 0) return {FileState::kGone, {}};
    return {present ? FileState::kActive : FileState::kRotated, {}};
  }
};

}  // namespace weir
