#include "agent/ship/kafka_output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <unordered_map>
#include <utility>

#include "agent/ship/kafka_producer.h"
#include "agent/ship/kafka_topics.h"
#include "proto/must.h"

namespace weir {

struct KafkaOutput::Impl {
  OutputConfig output;
  KafkaOutputConfig config;  // the Kafka part of `output`
  ShipConfig ship;
  std::uint64_t max_line = 0;
  KafkaProducer producer{nullptr, &rd_kafka_destroy};
  // The topic of each route.
  struct Target {
    std::string name, key;  // `key`: the configuration key
    KafkaTopic topic{nullptr, &rd_kafka_topic_destroy};
  };
  std::vector<Target> targets;
  int event_fd = -1;
  Settled on_settled;
  std::vector<std::int32_t> partitions;  // of each target; empty if any is not known
  OutputStatus state;
  bool all_down = false;
  struct Pending {
    std::size_t left = 0;  // of its messages, not reported yet
    std::optional<Error> error;
  };
  std::unordered_map<std::uint64_t, Pending> pending;
  std::vector<std::uint64_t> empty_messages;
  std::unique_ptr<KafkaTopics> topics;  // uses the producer and event_fd, so it is destroyed first

  Result<void> connect();
  void note_topics();
  void wake() const;  // any thread may call it
  void report(rd_kafka_event_t* event);
  void note_error(rd_kafka_event_t* event);
  void start_over(const std::string& why);
  [[nodiscard]] const Target& target_of(const Message& message) const { return targets[message.route]; }
  rd_kafka_resp_err_t produce(const Message& message, std::string_view value);
};

Result<void> KafkaOutput::Impl::connect() {
  auto made = make_kafka_producer(output, ship, max_line);
  if (!made) return std::unexpected(made.error());
  topics.reset();
  targets.clear();
  producer = std::move(*made);
  std::vector<std::string> names;
  for (auto& route : routes_of(output)) {
    names.push_back(route.topic);
    auto topic = make_kafka_topic(producer.get(), route.topic);
    targets.push_back({std::move(route.topic), std::move(route.topic_key), std::move(topic)});
  }
  const std::uint64_t one = 1;
  rd_kafka_queue_t* queue = rd_kafka_queue_get_main(producer.get());
  rd_kafka_queue_io_event_enable(queue, event_fd, &one, sizeof one);
  rd_kafka_queue_destroy(queue);
  partitions.clear();
  topics = std::make_unique<KafkaTopics>(producer.get(), std::move(names), [this] { wake(); });
  return {};
}

void KafkaOutput::Impl::wake() const {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto put = ::write(event_fd, &one, sizeof one);
}

// Takes over what the broker reported about the topics since the last call.
void KafkaOutput::Impl::note_topics() {
  const auto answer = topics->take();
  if (!answer) return;
  if (!answer->no_broker.empty()) {
    if (!partitions.empty()) return;
    state.connected = false;
    if (state.blocked_because.empty())
      state.blocked_because =
          fmt::format("no broker of {} answers: {}; check the addresses and that Kafka runs",
                      broker_list(config), answer->no_broker);
    return;
  }
  if (!answer->complete()) {
    partitions.clear();
    const auto& target = targets[answer->missing];
    state.blocked_because = fmt::format("topic {} at {}: {}; create it, or correct output.kafka.{}",
                                        target.name, broker_list(config), answer->why, target.key);
    return;
  }
  MUST(answer->partitions.size() == targets.size(), "the broker answers for each topic");
  partitions = answer->partitions;
  if (!state.connected && all_down) ++state.reconnects;
  all_down = false;
  state.connected = true;
  state.blocked_because.clear();
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
                                          broker_list(config));
  } else if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION) {
    state.blocked_because = fmt::format("{} refuses the login: {}; check sasl_username and sasl_password",
                                        broker_list(config), without_counters(what));
  } else if (code == RD_KAFKA_RESP_ERR__SSL) {
    state.blocked_because = fmt::format("TLS to {}: {}; check tls_ca, tls_cert, tls_key", broker_list(config),
                                        without_counters(what));
  } else if (code == RD_KAFKA_RESP_ERR__TRANSPORT || code == RD_KAFKA_RESP_ERR__RESOLVE) {
    // This may be one broker of several, so it is reported only while none is connected.
    if (partitions.empty() || all_down)
      state.blocked_because =
          fmt::format("{}; check brokers, that Kafka runs, and the network", without_counters(what));
  }
}

// After a fatal error the idempotent producer has lost its sequence. A new producer sends again what was in
// flight, and coverage counts it once.
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
  impl_->topics.reset();
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
      impl.empty_messages.push_back(message.id);  // only filtered lines, so nothing to wait for
    return {};
  }
  if (entry.left > 0) {
    // Some lines are already in flight. The whole message is sent again once they are settled.
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
  impl_->note_topics();
  MUST(route < impl_->targets.size(), "each route has its topic");
  return impl_->partitions.empty() ? 0 : impl_->partitions[route];
}

void KafkaOutput::poll() {
  auto& impl = *impl_;
  std::uint64_t count = 0;
  [[maybe_unused]] const auto got = ::read(impl.event_fd, &count, sizeof count);
  impl.note_topics();
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
      rd_kafka_event_destroy(event);  // must precede the destruction of its producer
      impl.start_over(why);
    } else {
      if (type == RD_KAFKA_EVENT_ERROR) impl.note_error(event);
      rd_kafka_event_destroy(event);
    }
  }
}

int KafkaOutput::readable_fd() const { return impl_->event_fd; }
OutputStatus KafkaOutput::status() const { return impl_->state; }

}  // namespace weir
