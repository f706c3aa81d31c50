// The Kafka checks of `weir-agent check --output`, made before a start.
#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "agent/ship/kafka_output.h"
#include "agent/ship/kafka_producer.h"

namespace weir {
namespace {

// The last error of the producer while connecting: a wrong name, a refused connection, a failed login. "":
// none.
std::string last_error(rd_kafka_t* producer) {
  std::string out;
  auto* queue = rd_kafka_queue_get_main(producer);
  while (auto* event = rd_kafka_queue_poll(queue, 0)) {
    if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR &&
        rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN &&
        rd_kafka_event_error_string(event) != nullptr)
      out = without_counters(rd_kafka_event_error_string(event));
    rd_kafka_event_destroy(event);
  }
  rd_kafka_queue_destroy(queue);
  return out;
}

// Returns 0 if the broker does not report it.
std::uint64_t max_message_bytes_of(rd_kafka_t* producer, const std::string& topic, int timeout_ms) {
  std::uint64_t bytes = 0;
  auto* resource = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, topic.c_str());
  auto* queue = rd_kafka_queue_new(producer);
  rd_kafka_DescribeConfigs(producer, &resource, 1, nullptr, queue);
  if (auto* event = rd_kafka_queue_poll(queue, timeout_ms); event != nullptr) {
    std::size_t count = 0;
    std::size_t entries = 0;
    const auto* result = rd_kafka_event_DescribeConfigs_result(event);
    const auto* resources =
        result != nullptr ? rd_kafka_DescribeConfigs_result_resources(result, &count) : nullptr;
    const auto* list = count > 0 ? rd_kafka_ConfigResource_configs(resources[0], &entries) : nullptr;
    for (std::size_t i = 0; i < entries; ++i) {
      if (std::string_view(rd_kafka_ConfigEntry_name(list[i])) == "max.message.bytes" &&
          rd_kafka_ConfigEntry_value(list[i]) != nullptr) {
        bytes = std::strtoull(rd_kafka_ConfigEntry_value(list[i]), nullptr, 10);
      }
    }
    rd_kafka_event_destroy(event);
  }
  rd_kafka_queue_destroy(queue);
  rd_kafka_ConfigResource_destroy(resource);
  return bytes;
}

}  // namespace

Result<KafkaProbe> probe_kafka(const OutputConfig& output, const ShipConfig& ship, std::uint64_t max_line,
                               int timeout_ms) {
  const auto& config = output.kafka;
  auto producer = make_kafka_producer(output, ship, max_line);
  if (!producer) return std::unexpected(producer.error());
  const auto brokers = broker_list(config);
  KafkaProbe probe;
  probe.largest_batch_bytes = largest_message_bytes(config, max_line);
  for (const auto& [codec, name, key] : routes_of(output)) {
    const auto topic = make_kafka_topic(producer->get(), name);
    const rd_kafka_metadata_t* raw = nullptr;
    const auto code = rd_kafka_metadata(producer->get(), 0, topic.get(), &raw, timeout_ms);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
      const auto why = last_error(producer->get());
      return fail(Code::kUnavailable,
                  fmt::format("no broker of {} answers within {} ms: {}", brokers, timeout_ms,
                              why.empty() ? rd_kafka_err2str(code) : why),
                  "check the addresses, the network, tls and sasl");
    }
    const std::unique_ptr<const rd_kafka_metadata_t, decltype(&rd_kafka_metadata_destroy)> metadata(
        raw, &rd_kafka_metadata_destroy);
    probe.brokers.clear();
    for (int i = 0; i < metadata->broker_cnt; ++i)
      probe.brokers.push_back(fmt::format("{} at {}:{}", metadata->brokers[i].id, metadata->brokers[i].host,
                                          metadata->brokers[i].port));
    if (metadata->topic_cnt != 1 || metadata->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      return fail(
          Code::kNotFound,
          fmt::format("topic {} at {}: {}", name, brokers,
                      metadata->topic_cnt == 1 ? rd_kafka_err2str(metadata->topics[0].err) : "not listed"),
          fmt::format("create it, or correct output.kafka.{}", key));
    }
    probe.topics.push_back(
        {name, metadata->topics[0].partition_cnt, max_message_bytes_of(producer->get(), name, timeout_ms)});
  }
  return probe;
}

}  // namespace weir
