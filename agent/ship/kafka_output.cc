#include "agent/ship/kafka_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <librdkafka/rdkafka.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <unordered_map>

#include "common/timer_slack.h"

namespace weir {
namespace {

// Metadata of the topic is asked for again this often while it is missing, and later to see new partitions.
constexpr std::chrono::seconds kMetadataWhileMissing{1};
constexpr std::chrono::seconds kMetadataRefresh{60};
constexpr int kMetadataTimeoutMs = 1000;
// Headers and the string table of a batch come on top of its content in the worst case.
constexpr std::uint64_t kBatchSlackBytes = 1 << 20;

// Of windows, whose rows are bounded; most come to a few kilobytes.
constexpr std::uint64_t kLargestWindowsBytes = 16 << 20;

using Clock = std::chrono::steady_clock;
using Producer = std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)>;
using Topic = std::unique_ptr<rd_kafka_topic_t, decltype(&rd_kafka_topic_destroy)>;

std::string join(const std::vector<std::string>& parts) { return fmt::format("{}", fmt::join(parts, ",")); }

Result<Producer> make_producer(const OutputConfig& output, const ShipConfig& ship, std::uint64_t max_line) {
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
  add("message.timeout.ms", "0");  // never time out: the files are the buffer, and no line may be lost
  add("allow.auto.create.topics", "false");
  add("topic.metadata.refresh.interval.ms", "10000");
  // Messages of one line are gathered and compressed here; batches are both already.
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
  return Producer(producer, &rd_kafka_destroy);
}

}  // namespace

std::uint64_t largest_message_bytes(const KafkaOutputConfig& config, std::uint64_t max_line) {
  const auto records = config.max_message_bytes + max_line + kBatchSlackBytes;
  const auto windows = config.ship == Ship::kRecords ? 0 : kLargestWindowsBytes;
  return std::min<std::uint64_t>(std::max(records, windows), 1'000'000'000);
}

namespace {

// librdkafka's counters in brackets would make a new sentence of the same one each time.
std::string without_counters(std::string_view what) {
  return std::string(what.substr(0, what.find(" (after ")));
}

// What the producer met while it connected, or "": a wrong name, a refusal, a login.
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

}  // namespace

struct KafkaOutput::Impl {
  OutputConfig output;
  KafkaOutputConfig config;  // of `output`
  ShipConfig ship;
  std::uint64_t max_line = 0;
  Producer producer{nullptr, &rd_kafka_destroy};
  // The topic of each route.
  struct Target {
    std::string name, key;  // `key`: of the configuration
    Topic topic{nullptr, &rd_kafka_topic_destroy};
    std::int32_t partitions = 0;
  };
  std::vector<Target> targets;
  int event_fd = -1;
  Settled on_settled;
  std::int32_t partitions = 0;  // of each topic; 0: of one of them it is not known
  Clock::time_point next_metadata;
  OutputStatus state;
  bool all_down = false;
  struct Pending {
    std::size_t left = 0;  // messages of it that were not reported yet
    std::optional<Error> error;
  };
  std::unordered_map<std::uint64_t, Pending> pending;
  std::vector<std::uint64_t> empty_messages;

  Result<void> connect();
  void look_at_topics();
  [[nodiscard]] bool look_at(Target& target);
  void report(rd_kafka_event_t* event);
  void note_error(rd_kafka_event_t* event);
  void start_over(const std::string& why);
  [[nodiscard]] const Target& target_of(const Message& message) const { return targets[message.route]; }
  rd_kafka_resp_err_t produce(const Message& message, std::string_view value);
};

Result<void> KafkaOutput::Impl::connect() {
  auto made = make_producer(output, ship, max_line);
  if (!made) return std::unexpected(made.error());
  targets.clear();
  producer = std::move(*made);
  for (auto& route : routes_of(output)) {
    Topic topic(rd_kafka_topic_new(producer.get(), route.topic.c_str(), nullptr), &rd_kafka_topic_destroy);
    targets.push_back({std::move(route.topic), std::move(route.topic_key), std::move(topic)});
  }
  const std::uint64_t one = 1;
  rd_kafka_queue_t* queue = rd_kafka_queue_get_main(producer.get());
  rd_kafka_queue_io_event_enable(queue, event_fd, &one, sizeof one);
  rd_kafka_queue_destroy(queue);
  partitions = 0;
  next_metadata = {};
  return {};
}

void KafkaOutput::Impl::look_at_topics() {
  if (Clock::now() < next_metadata) return;
  for (auto& target : targets) {
    if (look_at(target)) continue;
    next_metadata = Clock::now() + (partitions > 0 ? kMetadataRefresh : kMetadataWhileMissing);
    return;
  }
  partitions = std::min_element(targets.begin(), targets.end(), [](const auto& a, const auto& b) {
                 return a.partitions < b.partitions;
               })->partitions;
  if (!state.connected && all_down) ++state.reconnects;
  all_down = false;
  state.connected = true;
  state.blocked_because.clear();
  next_metadata = Clock::now() + kMetadataRefresh;
}

// False: what is wrong with it is said, or nobody answers.
bool KafkaOutput::Impl::look_at(Target& target) {
  const rd_kafka_metadata_t* metadata = nullptr;
  const auto code = rd_kafka_metadata(producer.get(), 0, target.topic.get(), &metadata,
                                      partitions > 0 ? 100 : kMetadataTimeoutMs);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (partitions == 0) {
      state.connected = false;
      if (state.blocked_because.empty())
        state.blocked_because =
            fmt::format("no broker of {} answers: {}; check the addresses and that Kafka runs",
                        join(config.brokers), rd_kafka_err2str(code));
    }
    return false;
  }
  const bool found = metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR &&
                     metadata->topics[0].partition_cnt > 0;
  if (found) {
    target.partitions = metadata->topics[0].partition_cnt;
  } else {
    partitions = 0;
    const auto why = metadata->topic_cnt == 1 ? rd_kafka_err2str(metadata->topics[0].err) : "not listed";
    state.blocked_because = fmt::format("topic {} at {}: {}; create it, or correct output.kafka.{}",
                                        target.name, join(config.brokers), why, target.key);
  }
  rd_kafka_metadata_destroy(metadata);
  return found;
}

void KafkaOutput::Impl::report(rd_kafka_event_t* event) {
  const rd_kafka_message_t* message = nullptr;
  std::vector<std::pair<std::uint64_t, std::optional<Error>>> done;
  while ((message = rd_kafka_event_message_next(event)) != nullptr) {
    const auto id = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(message->_private));
    const auto found = pending.find(id);
    if (found == pending.end()) continue;
    if (message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      found->second.error = Error{
          Code::kUnavailable,
          fmt::format("topic {}: {}", rd_kafka_topic_name(message->rkt), rd_kafka_err2str(message->err)), ""};
      if (message->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
        found->second.error->code = Code::kInvalid;
        found->second.error->hint = config.ship == Ship::kRecords
                                        ? "smaller batches are tried; raise max.message.bytes of the topic, "
                                          "or lower ship.batch_max_bytes"
                                        : "smaller batches are tried; raise max.message.bytes of the topic, "
                                          "or lower ship.batch_max_bytes "
                                          "and ship.windows_batch_max";
      }
      state.blocked_because = found->second.error->what +
                              (found->second.error->hint.empty() ? "" : "; " + found->second.error->hint);
    } else {
      state.connected = true;
      state.blocked_because.clear();
      if (all_down) ++state.reconnects;
      all_down = false;
    }
    if (--found->second.left == 0) {
      done.emplace_back(id, std::move(found->second.error));
      pending.erase(found);
    }
  }
  for (const auto& [id, error] : done) on_settled(id, error ? &*error : nullptr);
}

void KafkaOutput::Impl::note_error(rd_kafka_event_t* event) {
  const auto code = rd_kafka_event_error(event);
  const std::string what = rd_kafka_event_error_string(event) != nullptr ? rd_kafka_event_error_string(event)
                                                                         : rd_kafka_err2str(code);
  if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN) {
    all_down = true;
    state.connected = false;
    if (state.blocked_because.empty())
      state.blocked_because = fmt::format("all brokers of {} are away; check that Kafka runs and the network",
                                          join(config.brokers));
  } else if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION) {
    state.blocked_because = fmt::format("{} refuses the login: {}; check sasl_username and sasl_password",
                                        join(config.brokers), without_counters(what));
  } else if (code == RD_KAFKA_RESP_ERR__SSL) {
    state.blocked_because = fmt::format("TLS to {}: {}; check tls_ca, tls_cert, tls_key",
                                        join(config.brokers), without_counters(what));
  } else if (code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__RESOLVE) {
    // One broker of several: only said while nothing is connected.
    if (partitions == 0 || all_down)
      state.blocked_because =
          fmt::format("{}; check brokers, that Kafka runs, and the network", without_counters(what));
  }
}

// A fatal error of the idempotent producer: its sequence is lost. What was in flight is sent
// again by a new producer; coverage counts it once.
void KafkaOutput::Impl::start_over(const std::string& why) {
  auto outstanding = std::exchange(pending, {});
  rd_kafka_purge(producer.get(), RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
  ++state.reconnects;
  state.connected = false;
  state.blocked_because = "the producer had to start over: " + why;
  if (const auto connected = connect(); !connected) state.blocked_because = connected.error().what;
  const Error error{Code::kUnavailable, why, ""};
  for (const auto& [id, entry] : outstanding) on_settled(id, &error);
}

rd_kafka_resp_err_t KafkaOutput::Impl::produce(const Message& message, std::string_view value) {
  return rd_kafka_producev(
      producer.get(), RD_KAFKA_V_RKT(target_of(message).topic.get()), RD_KAFKA_V_PARTITION(message.partition),
      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
      RD_KAFKA_V_VALUE(const_cast<char*>(value.data()), value.size()),
      RD_KAFKA_V_KEY(message.key.data(), message.key.size()),
      RD_KAFKA_V_OPAQUE(reinterpret_cast<void*>(static_cast<std::uintptr_t>(message.id))), RD_KAFKA_V_END);
}

KafkaOutput::KafkaOutput() : impl_(std::make_unique<Impl>()) {}

KafkaOutput::~KafkaOutput() {
  impl_->targets.clear();
  impl_->producer.reset();
  if (impl_->event_fd >= 0) ::close(impl_->event_fd);
}

Result<std::unique_ptr<Output>> KafkaOutput::create(const OutputConfig& config, const ShipConfig& ship,
                                                    std::uint64_t max_line) {
  std::unique_ptr<KafkaOutput> output(new KafkaOutput);
  output->impl_->output = config;
  output->impl_->config = config.kafka;
  output->impl_->ship = ship;
  output->impl_->max_line = max_line;
  output->impl_->event_fd = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (auto connected = output->impl_->connect(); !connected) return std::unexpected(connected.error());
  return output;
}

void KafkaOutput::set_on_settled(Settled on_settled) { impl_->on_settled = std::move(on_settled); }

Result<void> KafkaOutput::send(Message& message) {
  auto& impl = *impl_;
  auto& entry = impl.pending[message.id];
  std::string_view rest = message.payload;
  rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
  do {
    const auto end = message.split_lines ? std::min(rest.find('\n'), rest.size()) : rest.size();
    if (!(message.split_lines && rest.empty())) {
      code = impl.produce(message, rest.substr(0, end));
      if (code != RD_KAFKA_RESP_ERR_NO_ERROR) break;
      ++entry.left;
    }
    rest.remove_prefix(std::min(rest.size(), end + (message.split_lines ? 1 : 0)));
  } while (!rest.empty());
  if (code == RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (entry.left == 0)
      impl.empty_messages.push_back(message.id);  // only filtered lines: nothing to wait for
    return {};
  }
  if (entry.left > 0) {
    // Some lines are on their way: the whole is sent again once these have settled.
    entry.error = Error{Code::kUnavailable, rd_kafka_err2str(code), ""};
    return {};
  }
  impl.pending.erase(message.id);
  if (code == RD_KAFKA_RESP_ERR__QUEUE_FULL) return fail(Code::kFull, "the producer's queue is full");
  impl.state.blocked_because =
      fmt::format("topic {}: {}", impl.target_of(message).name, rd_kafka_err2str(code));
  return fail(Code::kUnavailable, impl.state.blocked_because);
}

std::int32_t KafkaOutput::partition_count(std::size_t route) {
  impl_->look_at_topics();
  return impl_->partitions > 0 ? impl_->targets[route].partitions : 0;
}

void KafkaOutput::poll() {
  auto& impl = *impl_;
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(impl.event_fd, &count, sizeof count);
  for (const auto id : std::exchange(impl.empty_messages, {})) {
    impl.pending.erase(id);
    impl.on_settled(id, nullptr);
  }
  for (;;) {
    auto* queue = rd_kafka_queue_get_main(impl.producer.get());
    auto* event = rd_kafka_queue_poll(queue, 0);
    rd_kafka_queue_destroy(queue);
    if (event == nullptr) return;
    const auto type = rd_kafka_event_type(event);
    if (type == RD_KAFKA_EVENT_DR) {
      impl.report(event);
      rd_kafka_event_destroy(event);
    } else if (type == RD_KAFKA_EVENT_ERROR && rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR__FATAL) {
      const std::string why = rd_kafka_event_error_string(event);
      rd_kafka_event_destroy(event);  // before its producer goes
      impl.start_over(why);
    } else {
      if (type == RD_KAFKA_EVENT_ERROR) impl.note_error(event);
      rd_kafka_event_destroy(event);
    }
  }
}

int KafkaOutput::readable_fd() const { return impl_->event_fd; }
OutputStatus KafkaOutput::status() const { return impl_->state; }

namespace {

// 0: the broker does not tell.
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
  auto producer = make_producer(output, ship, max_line);
  if (!producer) return std::unexpected(producer.error());
  const auto brokers = join(config.brokers);
  KafkaProbe probe;
  probe.largest_batch_bytes = largest_message_bytes(config, max_line);
  for (const auto& [codec, name, key] : routes_of(output)) {
    const Topic topic(rd_kafka_topic_new(producer->get(), name.c_str(), nullptr), &rd_kafka_topic_destroy);
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
