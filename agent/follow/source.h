// One file that the agent follows, and what it is to the files beside it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/follow/sent_ranges.h"
#include "agent/format/parser.h"
#include "agent/tail/content.h"
#include "agent/tail/line_reader.h"
#include "agent/tail/tail_config.h"
#include "proto/source_id.h"

namespace weir {

struct Source {
  std::string path;
  // The names that it had, newest last: a new file under one of them is no copy of it.
  std::vector<std::string> names;
  const InputConfig* input = nullptr;
  std::shared_ptr<Content> content;
  FileFacts facts;                     // as of the last look
  std::shared_ptr<LineParser> parser;  // the input's, unless its lines say how later ones are read
  SourceId id;
  SourceId base;          // without a look-alike's salt
  std::string line_hash;  // of its first data line
  std::uint64_t origin = 0;
  std::int32_t partition = -1;
  LineReader reader;
  SentRanges sent;
  std::int64_t retry_at_ms = 0;         // after a failure, of the clock that never goes back
  std::uint64_t batch_limit_bytes = 0;  // 0: as configured; less when the topic takes no larger ones
  bool sent_before = false;             // in this life of the agent
  // Shipped as windows: the registry knows where those in flight end. Before that, what lies below
  // records_until may have been sent as records that end anywhere, and goes as records again.
  bool cuts_known = false;
  std::uint64_t records_until = 0;
  bool had_cuts = false;              //  is shipped as records now, and was as windows
  std::uint64_t claimed_offset = 0;   // the reader of the batches was told that all before was sent
  std::int64_t first_claimed_ms = 0;  // steady: when that was first said, and acknowledged
  std::int64_t claimed_ms = 0;        // and when last
  bool claiming = false;              // that is in flight
  bool dirty = true;                  // may have bytes that were not read
  bool queued = false;                // waits for its turn
  bool rotated = false;               // and that is in the lane of the backlog
  std::int64_t dirty_since_ms = 0;
  bool present = true;  // its path led to it at the last scan, or nobody could tell
  // Of the file that its path leads to; files of a folder share it. Null: not looked at yet.
  std::shared_ptr<const std::string> folder;
  bool by_link = false;  // its path is a symbolic link
  std::int64_t quiet_since_ms = 0;
  std::int64_t crowded_ms = 0;  // its last batch that was closed early
  std::int64_t last_event_ms = kNoTime;
  std::int64_t last_acknowledged_ms = 0;
  bool registry_dirty = true;
  std::string trouble;
  std::int64_t unreadable_since_ms = 0;  // steady; 0: it can be read

  void named(const std::string& name) {
    constexpr std::size_t kMaxNames = 16;
    path = name;
    std::erase(names, name);
    names.push_back(name);
    if (names.size() > kMaxNames) names.erase(names.begin());
  }
  [[nodiscard]] bool drained() const { return !dirty && sent.idle() && !sent.failed(); }
  // Of the content, as far as known.
  [[nodiscard]] std::uint64_t size() const {
    return content->compressed() ? reader.position() : std::max(facts.size_bytes, reader.position());
  }
  [[nodiscard]] std::string state() const {
    if (!trouble.empty()) return trouble;
    if (facts.links == 0) return "gone";
    return present ? "active" : "rotated";
  }
};

}  // namespace weir
