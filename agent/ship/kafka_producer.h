// Creates librdkafka's producer from the configuration. Only agent/ship/kafka_*.cc include this file.
#pragma once

#include <librdkafka/rdkafka.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/ship/ship_config.h"
#include "proto/result.h"

namespace weir {

using KafkaProducer = std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)>;
using KafkaTopic = std::unique_ptr<rd_kafka_topic_t, decltype(&rd_kafka_topic_destroy)>;

// Connects in the background. Errors: kInvalid (a property that librdkafka does not know).
[[nodiscard]] Result<KafkaProducer> make_kafka_producer(const OutputConfig& output, const ShipConfig& ship,
                                                        std::uint64_t max_line);
[[nodiscard]] KafkaTopic make_kafka_topic(rd_kafka_t* producer, const std::string& name);
// "k1:9092,k2:9092"
[[nodiscard]] std::string broker_list(const KafkaOutputConfig& config);
// `what` without librdkafka's counters in brackets, which would make the same message look new each time.
[[nodiscard]] std::string without_counters(std::string_view what);

}  // namespace weir
