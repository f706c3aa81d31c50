// What is shipped, where to and how fast: [output] and [ship] of the configuration.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "agent/ship/backlog_budget.h"
#include "common/kafka_connection.h"

namespace weir {

// What is shipped: each request, sums of windows, or both, to a topic each.
enum class Ship { kRecords, kWindows, kBoth };

struct KafkaOutputConfig : KafkaConnection {
  std::string topic;
  Ship ship = Ship::kRecords;
  std::string windows_topic;    // with Ship::kBoth: where the windows go
  std::string acks = "all";     // "0", "1", "all"
  std::string codec = "batch";  // "batch", "json", "raw"
  // No batch makes a larger message, whether it compresses or not, but for lines of many KiB.
  std::uint64_t max_message_bytes = 1'000'000;
  friend bool operator==(const KafkaOutputConfig&, const KafkaOutputConfig&) = default;
};

struct ShipConfig {
  // A batch that is not full leaves after this. Less: fresher pages, more messages.
  std::chrono::milliseconds flush_interval{1000};
  // Content bytes per batch. More: better compression, more memory.
  std::uint64_t batch_max_bytes = 4 << 20;
  // Content bytes read and not yet acknowledged; reading stops here.
  std::uint64_t max_in_flight = 16 << 20;
  // Of rotated files: live ones go first.
  BacklogBudget::Limits backlog;
  std::chrono::milliseconds shutdown_timeout{10000};
  std::chrono::milliseconds heartbeat_interval{10000};
  int zstd_level = 1;
  // Ship::kWindows only. Lines of a source gather for this long, in their file, before their sums
  // leave. Less: fresher pages, more messages.
  std::chrono::milliseconds windows_interval{10000};
  // A backlog leaves in ranges of this many bytes. No batch crosses a multiple of it, so that who
  // reads a file anew cuts it at the same places.
  std::uint64_t windows_batch_max = 16 << 20;
  // The length of a window: the aggregator's.
  std::chrono::seconds window{60};
};

enum class OutputKind { kKafka, kStdout, kFile };

struct OutputConfig {
  OutputKind kind = OutputKind::kKafka;
  KafkaOutputConfig kafka;
  std::string file_path;            // [output.file] path
  std::string text_codec = "json";  // [output.stdout] / [output.file] codec = "json" | "raw"
  friend bool operator==(const OutputConfig&, const OutputConfig&) = default;
};

}  // namespace weir
