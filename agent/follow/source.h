// One file that the agent follows, and what it is to the files beside it.
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

// Where it waits for its turn. Lanes alone writes it.
class LanePlace {
 public:
  [[nodiscard]] bool rotated() const { return rotated_; }  // its turns are those of the backlog

 private:
  friend class Lanes;
  bool waits_ = false, rotated_ = false;
};

// What was claimed of it. Claims alone writes it.
class ClaimPlace {
  friend class Claims;
  std::uint64_t offset_ = 0;   // all before it was claimed, and the claim acknowledged
  std::int64_t first_ms_ = 0;  // when that was so first, of the clock that never goes back
  std::int64_t last_ms_ = 0;   // and last
  bool in_flight_ = false;
};

// Why a source is not read on.
struct Trouble {
  enum class Kind : std::uint8_t {
    kNone,
    kUnreadable,        // the system gives errors
    kWaitsForRegistry,  // it may be sent only once the registry knows of it
    kIncomplete,        // a compressed file that ends in the middle
  };
  Kind kind = Kind::kNone;
  std::string text;  // a sentence
  [[nodiscard]] bool none() const { return kind == Kind::kNone; }
};

struct Source {
  // Who it is.
  SourceId id;
  SourceId base;          // without a look-alike's salt
  std::string line_hash;  // of its first data line
  std::string path;
  // The names that it had, newest last: a new file under one of them is no copy of it.
  std::vector<std::string> names;
  const InputConfig* input = nullptr;
  std::uint64_t origin = 0;
  std::int32_t partition = -1;

  // Its file.
  std::shared_ptr<Content> content;
  FileFacts facts;       // as of the last look
  bool present = true;   // its path led to it at the last look, or nobody could tell
  bool by_link = false;  // its path is a symbolic link
  // Of the file that its path leads to; files of a folder share it. Null: not looked at yet.
  std::shared_ptr<const std::string> folder;
  std::int64_t quiet_since_ms = 0;       // without its name; 0: it has one
  std::int64_t unreadable_since_ms = 0;  // of the clock that never goes back; 0: it can be read
  Trouble trouble;

  // Its reader.
  std::shared_ptr<LineParser> parser;  // the input's, unless its lines say how later ones are read
  LineReader reader;
  bool unread = false;  // may have bytes that were not read
  std::int64_t unread_since_ms = 0;
  std::int64_t retry_at_ms = 0;         // after a failure, of the clock that never goes back
  std::uint64_t batch_limit_bytes = 0;  // 0: as configured; less when the topic takes no larger ones

  // Its ranges.
  RouteRanges sent;
  bool sent_before = false;  // in this life of the agent
  // Shipped as windows: the registry knows where those in flight end. Before that, what lies below
  // records_until may have been sent as records that end anywhere, and goes as records again.
  bool cuts_known = false;
  std::uint64_t records_until = 0;
  bool had_cuts = false;        // is shipped as records now, and was as windows
  std::int64_t crowded_ms = 0;  // when its last batch was closed early
  std::int64_t last_event_ms = kNoTime;
  std::int64_t last_acknowledged_ms = 0;

  LanePlace lane;
  ClaimPlace claim;
  bool unsaved = false;  // SourceTable alone writes it

  void rename(const std::string& name) {
    constexpr std::size_t kMaxNames = 16;
    path = name;
    std::erase(names, name);
    names.push_back(name);
    if (names.size() > kMaxNames) names.erase(names.begin());
  }
  [[nodiscard]] bool drained() const { return !unread && sent.idle() && !sent.failed(); }
  [[nodiscard]] bool unreadable() const { return trouble.kind == Trouble::Kind::kUnreadable; }
  // Of the content, as far as known.
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
