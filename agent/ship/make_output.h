// Makes the output that a configuration names, and looks at Kafka before a start.
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
// know), kIo (the file cannot be opened). A broker that is away is no error: the output connects when it can.
[[nodiscard]] Result<std::unique_ptr<Output>> make_output(const OutputConfig& config, const ShipConfig& ship,
                                                          std::uint64_t max_line);

struct KafkaProbe {
  std::vector<std::string> brokers;  // "1 at host:9092"
  struct Topic {
    std::string name;
    std::int32_t partitions = 0;
    std::uint64_t max_message_bytes = 0;  // 0: the broker does not tell
  };
  std::vector<Topic> topics;              // that of the records, or of all; then that of the windows
  std::uint64_t largest_batch_bytes = 0;  // what this configuration may send at most
};
// Connects; waits up to timeout_ms. kUnavailable (no broker answers: why), kNotFound (a topic).
[[nodiscard]] Result<KafkaProbe> probe_kafka(const OutputConfig& config, const ShipConfig& ship,
                                             std::uint64_t max_line, int timeout_ms);

}  // namespace weir
