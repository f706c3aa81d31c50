// Creates the output that a configuration names, and checks Kafka before a start.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/ship/output.h"
#include "agent/ship/ship_config.h"
#include "proto/result.h"

namespace weir {

// `max_line`: the most bytes that a line may have. Errors: kInvalid (a property that librdkafka does not
// know), kIo (the file cannot be opened). An unreachable broker is not an error: the output connects when it
// can.
[[nodiscard]] Result<std::unique_ptr<Output>> make_output(const OutputConfig& config, const ShipConfig& ship,
                                                          std::uint64_t max_line);

struct KafkaProbe {
  std::vector<std::string> brokers;  // "1 at host:9092"
  struct Topic {
    std::string name;
    std::int32_t partitions = 0;
    std::uint64_t max_message_bytes = 0;  // 0: the broker does not report it
  };
  std::vector<Topic> topics;              // one per route
  std::uint64_t largest_batch_bytes = 0;  // the largest batch that this configuration may send
};
// Connects and waits up to timeout_ms. Errors: kUnavailable (no broker answers, with the reason), kNotFound
// (a topic does not exist).
[[nodiscard]] Result<KafkaProbe> probe_kafka(const OutputConfig& config, const ShipConfig& ship,
                                             std::uint64_t max_line, int timeout_ms);

}  // namespace weir
