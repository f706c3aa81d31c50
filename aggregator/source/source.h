// Where messages come from: Kafka, or the agent's code in this process.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "aggregator/partition_key.h"
#include "proto/result.h"

namespace weir {

struct SourceMessage {
  PartitionKey partition;
  std::int64_t offset = 0;
  std::int32_t leader_epoch = -1;  // -1: unknown (librdkafka before 2.1)
  std::string payload;
  std::int64_t timestamp_ms = 0;  // the broker's time
};

struct Assigned {
  std::vector<PartitionKey> partitions;  // call start_at() for each
};
struct Revoked {
  std::vector<PartitionKey> partitions;
  bool lost = false;  // true: another consumer owns them already, commit nothing
};
struct OffsetOutOfRange {
  PartitionKey partition;
  std::int64_t wanted = 0;
  std::int64_t resumed_at = 0;  // the log's start; [wanted, resumed_at) no longer exists
};
using SourceEvent = std::variant<SourceMessage, Assigned, Revoked, OffsetOutOfRange>;

class Source {
 public:
  virtual ~Source() = default;
  // Waits up to `timeout` and appends at most `max_events` to `out`. The caller answers a Revoked event with
  // revoked_done() once it has committed or dropped what it holds.
  [[nodiscard]] virtual Result<void> poll(std::chrono::milliseconds timeout, std::size_t max_events,
                                          std::vector<SourceEvent>& out) = 0;
  // The offset to start at, taken from the store; -1: the beginning of the topic.
  [[nodiscard]] virtual Result<void> start_at(const PartitionKey& partition, std::int64_t offset) = 0;
  virtual void revoked_done() = 0;
  // Kafka: informs lag tools only, and failures are ignored. Local source: acknowledges up to `next_offset`.
  virtual void committed(const PartitionKey& partition, std::int64_t next_offset) = 0;
  // Stops or resumes fetching (while the store is down). poll() must still be called.
  virtual void pause(bool paused) = 0;
  [[nodiscard]] virtual std::string cluster_id() = 0;    // "" while unknown
  [[nodiscard]] virtual std::string status() const = 0;  // "" when healthy, else a sentence
};

}  // namespace weir
