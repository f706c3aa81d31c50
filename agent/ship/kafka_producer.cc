#include "agent/ship/kafka_producer.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <utility>

#include "agent/ship/kafka_output.h"
#include "common/timer_slack.h"

namespace weir {
namespace {

// In the worst case, headers and the string table of a batch add this to its content.
constexpr std::uint64_t kBatchSlackBytes = 1 << 20;
// The largest message of windows. The number of rows is bounded, and most messages have a few kilobytes.
constexpr std::uint64_t kLargestWindowsBytes = 16 << 20;

}  // namespace

Result<KafkaProducer> make_kafka_producer(const OutputConfig& output, const ShipConfig& ship,
                                          std::uint64_t max_line) {
  const auto& kafka = output.kafka;
  const auto routes = routes_of(output);
  const bool single_lines =
      std::ranges::any_of(routes, [](const auto& route) { return traits_of(route.codec).splits_lines; });
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  auto properties = kafka_properties(kafka);
  const auto add = [&](const char* name, std::string value) {
    properties.emplace_back(name, std::move(value));
  };
  add("acks", kafka.acks);
  if (kafka.acks == "all") add("enable.idempotence", "true");
  add("message.timeout.ms", "0");  // never time out: the files are the buffer and no line may be lost
  add("allow.auto.create.topics", "false");
  add("topic.metadata.refresh.interval.ms", "10000");
  // Single-line messages are gathered and compressed here. Batches are already both.
  add("linger.ms", single_lines ? "5" : "0");
  add("compression.codec", single_lines ? "zstd" : "none");
  add("message.max.bytes", std::to_string(largest_message_bytes(kafka, max_line)));
  add("queue.buffering.max.messages", "1000000");
  add("queue.buffering.max.kbytes", std::to_string(4 * (ship.max_in_flight >> 10) + 4096));
  add("reconnect.backoff.max.ms", "2000");
  add("log_level", "2");
  for (const auto& [name, value] : kafka.librdkafka) add(name.c_str(), value);
  std::array<char, 512> why{};
  for (const auto& [name, value] : properties) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why.data(), why.size()) != RD_KAFKA_CONF_OK) {
      rd_kafka_conf_destroy(conf);
      return fail(Code::kInvalid, fmt::format("output.kafka: property {}: {}", name, why.data()),
                  "see [output.kafka.librdkafka] in the configuration");
    }
  }
  rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_DR | RD_KAFKA_EVENT_ERROR);
  const TimerSlackOfNewThreads slack(kKafkaTimerSlack);
  rd_kafka_t* producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size());
  if (producer == nullptr) {
    rd_kafka_conf_destroy(conf);
    return fail(Code::kInvalid, fmt::format("output.kafka: {}", why.data()),
                "check the tls and sasl keys and [output.kafka.librdkafka]");
  }
  return KafkaProducer(producer, &rd_kafka_destroy);
}

KafkaTopic make_kafka_topic(rd_kafka_t* producer, const std::string& name) {
  return {rd_kafka_topic_new(producer, name.c_str(), nullptr), &rd_kafka_topic_destroy};
}

std::string broker_list(const KafkaOutputConfig& config) {
  return fmt::format("{}", fmt::join(config.brokers, ","));
}

std::string without_counters(std::string_view what) {
  return std::string(what.substr(0, what.find(" (after ")));
}

std::uint64_t largest_message_bytes(const KafkaOutputConfig& config, std::uint64_t max_line) {
  const auto records = config.max_message_bytes + max_line + kBatchSlackBytes;
  const auto windows = config.ship == Ship::kRecords ? 0 : kLargestWindowsBytes;
  return std::min<std::uint64_t>(std::max(records, windows), 1'000'000'000);
}

}  // namespace weir
