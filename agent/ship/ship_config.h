// What is shipped, where to, and how fast: [output] and [ship] of the configuration.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agent/ship/backlog_budget.h"
#include "agent/ship/codec.h"
#include "common/kafka_connection.h"

namespace weir {

// What is shipped: every request, sums per window, or both. With both, each has its own topic.
enum class Ship { kRecords, kWindows, kBoth };

struct KafkaOutputConfig : KafkaConnection {
  std::string topic;
  Ship ship = Ship::kRecords;
  std::string windows_topic;  // with Ship::kBoth: the topic of the windows
  std::string acks = "all";   // "0", "1", "all"
  // No batch makes a larger message, even if nothing in it compresses, unless a single line is that large.
  std::uint64_t max_message_bytes = 1'000'000;
  friend bool operator==(const KafkaOutputConfig&, const KafkaOutputConfig&) = default;
};

struct ShipConfig {
  // A batch that is not full is sent after this time. Less: fresher pages, more messages.
  std::chrono::milliseconds flush_interval{1000};
  // Content bytes of a batch. More: better compression, more memory.
  std::uint64_t batch_max_bytes = 4 << 20;
  // Reading pauses while this many content bytes are read but not acknowledged.
  std::uint64_t max_in_flight = 16 << 20;
  // Limits for rotated files. Live files are read first.
  BacklogBudget::Limits backlog;
  std::chrono::milliseconds shutdown_timeout{10000};
  std::chrono::milliseconds heartbeat_interval{10000};
  int zstd_level = 1;
  // Ship::kWindows only. The lines of a source accumulate in their file for this long before their sums are
  // sent.
  // Less: fresher pages, more messages.
  std::chrono::milliseconds windows_interval{10000};
  // A backlog is sent in ranges of this many bytes. No batch crosses a multiple of it, so an agent that reads
  // the file again splits it at the same places.
  std::uint64_t windows_batch_max = 16 << 20;
  // The length of a window. It must match the aggregator's.
  std::chrono::seconds window{60};
};

enum class OutputKind { kKafka, kStdout, kFile };
inline constexpr OutputKind kOutputKinds[] = {OutputKind::kKafka, OutputKind::kStdout, OutputKind::kFile};
// The name of the output's table: "kafka" for [output.kafka].
[[nodiscard]] std::string_view to_string(OutputKind kind);

struct OutputConfig {
  OutputKind kind = OutputKind::kKafka;
  Codec codec = Codec::kBatch;
  KafkaOutputConfig kafka;
  std::string file_path;  // [output.file] path
  friend bool operator==(const OutputConfig&, const OutputConfig&) = default;
};

// An encoder together with a topic of the output. A message names its route by its index in the list of
// routes.
struct RouteConfig {
  Codec codec = Codec::kBatch;
  std::string topic;      // "" if the output has no topics
  std::string topic_key;  // the configuration key that names it: "topic", "windows_topic"
  friend bool operator==(const RouteConfig&, const RouteConfig&) = default;
};
// At least one. Records before windows.
[[nodiscard]] std::vector<RouteConfig> routes_of(const OutputConfig& config);

}  // namespace weir
