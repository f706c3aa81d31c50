// Which files are followed and how: [[input]] and [tail] of the configuration.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/format/parser.h"

namespace weir {

struct InputConfig {
  std::string name;
  std::vector<std::string> paths;             // globs
  std::vector<std::string> exclude;           // globs
  std::string format{kDefaultFormat};         // a named format, or one of [format.NAME]
  bool start_at_end = false;                  // start_at = "beginning" | "end", for files not seen before
  std::chrono::milliseconds ignore_older{0};  // 0: off. Files not modified for this long are not opened
  std::map<std::string, std::string> fields;
  ClientConfig client;               // trusted_proxies, client_from
  std::uint64_t max_line = 1 << 20;  // bytes; longer lines are truncated, marked and counted
};

struct TailConfig {
  std::chrono::milliseconds scan_interval{10000};  // how often globs are rescanned (inotify wakes earlier)
  std::chrono::milliseconds close_rotated{
      5000};  // a renamed file that is read to its end is closed after this long without new data
  // "auto": inotify, and polling where inotify reports nothing (network file systems, too many watches).
  bool poll_only = false;                         // watch = "auto" | "poll"
  std::chrono::milliseconds poll_interval{1000};  // how often unwatched files are checked
  // A file that vanished with unread bytes is given up, and the loss recorded, after this long.
  std::chrono::milliseconds missing_after{std::chrono::minutes(10)};
  // The registry forgets sources that it has not seen for this long.
  std::chrono::milliseconds forget_after{std::chrono::hours(24 * 30)};
  // Deleted files stay open until they are shipped. With "release", the oldest of them are given up, and the
  // loss recorded, while their disk has less than min_free_bytes free.
  bool release_under_pressure = false;  // disk_pressure = "keep" | "release"
  std::uint64_t min_free_bytes = 512ULL << 20;
};

}  // namespace weir
