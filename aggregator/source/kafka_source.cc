#include "aggregator/source/kafka_source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>

#include "aggregator/source/pauses.h"
#include "common/timer_slack.h"

namespace weir {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int kWatermarkTimeoutMs = 3000;
constexpr int kSeekTimeoutMs = 3000;
constexpr int kMetadataTimeoutMs = 1000;
constexpr std::chrono::milliseconds kRetryInterval{1000};
constexpr int kErrorTextBytes = 512;

struct DestroyConf {
  void operator()(rd_kafka_conf_t* conf) const { rd_kafka_conf_destroy(conf); }
};
struct DestroyConsumer {
  void operator()(rd_kafka_t* consumer) const { rd_kafka_destroy(consumer); }
};
struct DestroyList {
  void operator()(rd_kafka_topic_partition_list_t* list) const {
    rd_kafka_topic_partition_list_destroy(list);
  }
};
struct DestroyMessage {
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
};
struct DestroyTopic {
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
};
struct DestroyMetadata {
  void operator()(const rd_kafka_metadata_t* metadata) const { rd_kafka_metadata_destroy(metadata); }
};
struct DestroyError {
  void operator()(rd_kafka_error_t* error) const { rd_kafka_error_destroy(error); }
};
using Conf = std::unique_ptr<rd_kafka_conf_t, DestroyConf>;
using Consumer = std::unique_ptr<rd_kafka_t, DestroyConsumer>;
using PartitionList = std::unique_ptr<rd_kafka_topic_partition_list_t, DestroyList>;
using KafkaMessage = std::unique_ptr<rd_kafka_message_t, DestroyMessage>;
using Topic = std::unique_ptr<rd_kafka_topic_t, DestroyTopic>;
using Metadata = std::unique_ptr<const rd_kafka_metadata_t, DestroyMetadata>;
using KafkaError = std::unique_ptr<rd_kafka_error_t, DestroyError>;

PartitionList make_list(std::size_t size) {
  return PartitionList(rd_kafka_topic_partition_list_new(static_cast<int>(size)));
}

void add_to(const PartitionList& list, const PartitionKey& key, std::int64_t offset) {
  rd_kafka_topic_partition_list_add(list.get(), key.topic.c_str(), key.partition)->offset = offset;
}

PartitionList make_list(const std::vector<PartitionKey>& partitions) {
  auto list = make_list(partitions.size());
  for (const auto& key : partitions) add_to(list, key, RD_KAFKA_OFFSET_INVALID);
  return list;
}

// Exactly-once depends on these properties. The configuration key `librdkafka` can still override them.
const std::vector<std::pair<const char*, const char*>>& own_properties() {
  static const std::vector<std::pair<const char*, const char*>> properties = {
      {"partition.assignment.strategy", "cooperative-sticky"},
      // How long a dead consumer's partitions wait for another consumer.
      {"session.timeout.ms", "10000"},
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"auto.offset.reset", "error"},
      {"isolation.level", "read_committed"},
      {"enable.partition.eof", "false"},
      {"allow.auto.create.topics", "false"},
      // Messages prefetched and not yet polled: this bounds the source's memory.
      {"queued.min.messages", "1000"},
      {"queued.max.messages.kbytes", "32768"},
      {"fetch.message.max.bytes", "1048576"},
      {"fetch.max.bytes", "16777216"},
      // Only used to notice that a broker is reachable again.
      {"statistics.interval.ms", "5000"},
      {"topic.metadata.refresh.interval.ms", "10000"},
      {"reconnect.backoff.max.ms", "5000"},
  };
  return properties;
}

Result<void> set_property(rd_kafka_conf_t* conf, const std::string& name, const std::string& value) {
  std::array<char, kErrorTextBytes> why{};
  if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), why.data(), why.size()) != RD_KAFKA_CONF_OK) {
    return fail(Code::kInvalid, fmt::format("source.kafka: {}: {}", name, why.data()),
                "correct the property in [source.kafka] or [source.kafka.librdkafka]");
  }
  return {};
}

bool is_authorization(rd_kafka_resp_err_t error) {
  return error == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED ||
         error == RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED ||
         error == RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
}

}  // namespace

struct KafkaSource::Impl {
  Consumer consumer;
  std::string brokers;
  std::string group;
  std::vector<SourceEvent> events;  // filled by callbacks, which run inside consumer_poll()
  bool closing = false;
  Pauses pauses;

  // An assignment that waits for start_at() for each of its partitions.
  std::map<PartitionKey, std::optional<std::int64_t>> starting;
  // A revocation that waits for revoked_done().
  PartitionList revoking;
  // The next offset of each assigned partition; -1: the beginning.
  std::map<PartitionKey, std::int64_t> next_offsets;
  std::map<PartitionKey, std::int64_t> seeks;  // still to do; a seek can fail while no broker answers
  std::set<PartitionKey> out_of_range;         // still to examine; needs an answer from a broker
  Clock::time_point retry_at{};
  // librdkafka reports once that a topic is missing, but never that it has returned.
  std::set<std::string> missing_topics;
  Clock::time_point check_again_at{};

  std::string broker_problem;
  std::string topic_problem;

  [[nodiscard]] bool cooperative() const {
    const char* protocol = rd_kafka_rebalance_protocol(consumer.get());
    return protocol != nullptr && std::string_view(protocol) == "COOPERATIVE";
  }

  void on_rebalance(rd_kafka_resp_err_t error, const rd_kafka_topic_partition_list_t* list);
  void on_error(rd_kafka_resp_err_t error, std::string_view reason);
  void on_message(const rd_kafka_message_t& message, std::vector<SourceEvent>& out);
  void unassign(const rd_kafka_topic_partition_list_t* list);
  [[nodiscard]] Result<void> assign_started();
  void pause(const std::vector<PartitionKey>& partitions);
  void resume(const std::vector<PartitionKey>& partitions);
  void retry(std::vector<SourceEvent>& out);
  void look_for_missing_topics();
  [[nodiscard]] bool exists(const std::string& topic);
  bool seek(const PartitionKey& key, std::int64_t offset);
};

void KafkaSource::Impl::unassign(const rd_kafka_topic_partition_list_t* list) {
  const bool some = list != nullptr && cooperative();
  std::vector<PartitionKey> leaving;
  for (int i = 0; list != nullptr && i < list->cnt; ++i)
    leaving.push_back({list->elems[i].topic, list->elems[i].partition});
  if (!some) {
    for (const auto& [key, next] : next_offsets) leaving.push_back(key);
    starting.clear();
  }
  std::vector<PartitionKey> paused;  // else librdkafka keeps the pause for the next assignment
  for (const PartitionKey& key : leaving) {
    starting.erase(key);
    next_offsets.erase(key);
    seeks.erase(key);
    out_of_range.erase(key);
    if (pauses.leaves(key)) paused.push_back(key);
  }
  resume(paused);
  if (some) {
    const KafkaError ignored(rd_kafka_incremental_unassign(consumer.get(), list));
  } else {
    rd_kafka_assign(consumer.get(), nullptr);
  }
}

void KafkaSource::Impl::on_rebalance(rd_kafka_resp_err_t error, const rd_kafka_topic_partition_list_t* list) {
  std::vector<PartitionKey> partitions;
  for (int i = 0; list != nullptr && i < list->cnt; ++i) {
    partitions.push_back({list->elems[i].topic, list->elems[i].partition});
  }
  if (error == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS && !closing) {
    starting.clear();
    for (const auto& partition : partitions) starting.emplace(partition, std::nullopt);
    if (partitions.empty()) {
      if (const auto done = assign_started(); !done) topic_problem = done.error().what;
      return;
    }
    topic_problem.clear();
    events.emplace_back(Assigned{std::move(partitions)});
    return;
  }
  if (error == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS && !closing && !partitions.empty()) {
    revoking.reset(rd_kafka_topic_partition_list_copy(list));
    const bool lost = rd_kafka_assignment_lost(consumer.get()) != 0;
    events.emplace_back(Revoked{std::move(partitions), lost});
    return;
  }
  unassign(error == RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS ? list : nullptr);
}

void KafkaSource::Impl::on_error(rd_kafka_resp_err_t error, std::string_view reason) {
  switch (error) {
    case RD_KAFKA_RESP_ERR__AUTHENTICATION:
    case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
      broker_problem = fmt::format(
          "kafka {}: the broker refuses the user or password ({}); correct sasl_username and sasl_password",
          brokers, reason);
      break;
    case RD_KAFKA_RESP_ERR__SSL:
      broker_problem =
          fmt::format("kafka {}: TLS failed ({}); check tls, tls_ca, tls_cert and tls_key", brokers, reason);
      break;
    case RD_KAFKA_RESP_ERR__RESOLVE:
      broker_problem = fmt::format("kafka {}: {}; check the host names in brokers", brokers, reason);
      break;
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
      // The previous error gives the reason; this one only says that all brokers are down.
      if (broker_problem.empty()) {
        broker_problem = fmt::format(
            "kafka {}: no broker answers; nothing is lost, weir continues when one does", brokers);
      }
      break;
    default:
      if (is_authorization(error)) {
        topic_problem = fmt::format("kafka {}: {}; allow the user to read the topics and the group \"{}\"",
                                    brokers, reason, group);
      }
      break;
  }
}

Result<void> KafkaSource::Impl::assign_started() {
  auto list = make_list(starting.size());
  for (const auto& [key, offset] : starting) {
    const std::int64_t at = offset.value_or(-1);
    add_to(list, key, at < 0 ? RD_KAFKA_OFFSET_BEGINNING : at);
    next_offsets[key] = at;
  }
  starting.clear();
  if (cooperative()) {
    if (const KafkaError error(rd_kafka_incremental_assign(consumer.get(), list.get())); error) {
      return fail(Code::kUnavailable, fmt::format("kafka {}: assignment refused: {}", brokers,
                                                  rd_kafka_error_string(error.get())));
    }
  } else if (const auto error = rd_kafka_assign(consumer.get(), list.get());
             error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return fail(Code::kUnavailable,
                fmt::format("kafka {}: assignment refused: {}", brokers, rd_kafka_err2str(error)));
  }
  return {};
}

void KafkaSource::Impl::pause(const std::vector<PartitionKey>& partitions) {
  if (partitions.empty()) return;
  rd_kafka_pause_partitions(consumer.get(), make_list(partitions).get());
}

void KafkaSource::Impl::resume(const std::vector<PartitionKey>& partitions) {
  if (partitions.empty()) return;
  rd_kafka_resume_partitions(consumer.get(), make_list(partitions).get());
}

void KafkaSource::Impl::on_message(const rd_kafka_message_t& message, std::vector<SourceEvent>& out) {
  const bool has_topic = message.rkt != nullptr;
  const PartitionKey key{has_topic ? rd_kafka_topic_name(message.rkt) : "", message.partition};
  switch (message.err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR: {
      const auto assigned = next_offsets.find(key);
      if (assigned == next_offsets.end()) return;
      if (pauses.delivered(key)) {
        pause({key});
        seeks.emplace(key, message.offset);
        retry_at = {};
      }
      // A seek is still to come: messages that arrive before it are not the requested ones.
      if (seeks.contains(key) || out_of_range.contains(key)) return;
      assigned->second = message.offset + 1;
      broker_problem.clear();
      SourceMessage received;
      received.partition = key;
      received.offset = message.offset;
#if RD_KAFKA_VERSION >= 0x020100ff
      received.leader_epoch = rd_kafka_message_leader_epoch(&message);
#endif
      received.payload.assign(static_cast<const char*>(message.payload), message.len);
      rd_kafka_timestamp_type_t type{};
      received.timestamp_ms = std::max<std::int64_t>(0, rd_kafka_message_timestamp(&message, &type));
      out.emplace_back(std::move(received));
      return;
    }
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
      if (next_offsets.contains(key)) {
        out_of_range.insert(key);
        retry_at = {};
      }
      return;
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
      missing_topics.insert(key.topic);
      return;
    default:
      if (is_authorization(message.err)) {
        topic_problem = fmt::format("kafka {}: {}; allow the user to read the topics {} and the group \"{}\"",
                                    brokers, rd_kafka_err2str(message.err), key.topic, group);
      } else {
        on_error(message.err, rd_kafka_err2str(message.err));
      }
      return;
  }
}

// Repeats the seeks and queries that no broker could answer at the time.
void KafkaSource::Impl::retry(std::vector<SourceEvent>& out) {
  // Not while paused: a seek would make a paused partition fetch.
  if (pauses.paused() || (out_of_range.empty() && seeks.empty()) || Clock::now() < retry_at) return;
  retry_at = Clock::now() + kRetryInterval;
  for (auto it = out_of_range.begin(); it != out_of_range.end();) {
    const PartitionKey key = *it;
    std::int64_t low = 0;
    std::int64_t high = 0;
    const auto error = rd_kafka_query_watermark_offsets(consumer.get(), key.topic.c_str(), key.partition,
                                                        &low, &high, kWatermarkTimeoutMs);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR) break;  // no broker answers: try again later
    it = out_of_range.erase(it);
    std::int64_t& next = next_offsets[key];
    if (next >= 0 && (next < low || next > high)) {
      out.emplace_back(OffsetOutOfRange{key, next, low});
      next = low;
    } else if (next < 0) {
      next = low;
    }
    seeks[key] = next;
  }
  for (auto it = seeks.begin(); it != seeks.end() && seek(it->first, it->second);) it = seeks.erase(it);
}

void KafkaSource::Impl::look_for_missing_topics() {
  if (missing_topics.empty() || Clock::now() < check_again_at) return;
  std::erase_if(missing_topics, [this](const std::string& topic) { return exists(topic); });
  check_again_at = Clock::now() + kRetryInterval;
}

// Also false when no broker answers.
bool KafkaSource::Impl::exists(const std::string& topic) {
  const Topic handle(rd_kafka_topic_new(consumer.get(), topic.c_str(), nullptr));
  const rd_kafka_metadata_t* raw = nullptr;
  if (!handle || rd_kafka_metadata(consumer.get(), 0, handle.get(), &raw, kMetadataTimeoutMs) !=
                     RD_KAFKA_RESP_ERR_NO_ERROR)
    return false;
  const Metadata metadata(raw);
  return metadata->topic_cnt == 1 && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

// False: not possible now. Seeks only while nothing is paused, so that a restarted partition needs no resume.
bool KafkaSource::Impl::seek(const PartitionKey& key, std::int64_t offset) {
  auto list = make_list(1);
  add_to(list, key, offset < 0 ? RD_KAFKA_OFFSET_BEGINNING : offset);
  std::ignore = pauses.leaves(key);
  const KafkaError error(rd_kafka_seek_partitions(consumer.get(), list.get(), kSeekTimeoutMs));
  if (error) return false;
  if (list->elems[0].err == RD_KAFKA_RESP_ERR_NO_ERROR) return true;
  // A partition whose fetch ended (its offset does not exist) accepts a new assignment, but no seek. This
  // must not interfere with the answer to a rebalance in progress.
  if (list->elems[0].err != RD_KAFKA_RESP_ERR__STATE || !starting.empty() || revoking) return false;
  list->elems[0].err = RD_KAFKA_RESP_ERR_NO_ERROR;
  if (cooperative()) {
    const KafkaError unassigned(rd_kafka_incremental_unassign(consumer.get(), list.get()));
    if (unassigned) return false;
    const KafkaError assigned(rd_kafka_incremental_assign(consumer.get(), list.get()));
    return !assigned;
  }
  auto all = make_list(next_offsets.size());
  for (const auto& [each, next] : next_offsets) {
    add_to(all, each, next < 0 ? RD_KAFKA_OFFSET_BEGINNING : next);
    std::ignore = pauses.leaves(each);
  }
  return rd_kafka_assign(consumer.get(), all.get()) == RD_KAFKA_RESP_ERR_NO_ERROR;
}

KafkaSource::KafkaSource() : impl_(std::make_unique<Impl>()) {}

KafkaSource::~KafkaSource() {
  if (!impl_->consumer) return;
  impl_->closing = true;
  // An unanswered rebalance would keep close() waiting.
  if (!impl_->starting.empty() || impl_->revoking) impl_->unassign(impl_->revoking.get());
  rd_kafka_consumer_close(impl_->consumer.get());
}

Result<std::unique_ptr<KafkaSource>> KafkaSource::create(const KafkaConnection& connection,
                                                         const std::vector<std::string>& topics,
                                                         const std::string& group) {
  Conf conf(rd_kafka_conf_new());
  const auto set = [&](const std::string& name, const std::string& value) {
    return set_property(conf.get(), name, value);
  };
  for (const auto& [name, value] : kafka_properties(connection)) {
    if (auto done = set(name, value); !done) return std::unexpected(done.error());
  }
  if (auto done = set("group.id", group); !done) return std::unexpected(done.error());
  for (const auto& [name, value] : own_properties()) {
    if (auto done = set(name, value); !done) return std::unexpected(done.error());
  }
  for (const auto& [name, value] : connection.librdkafka) {
    if (auto done = set(name, value); !done) return std::unexpected(done.error());
  }

  auto source = std::unique_ptr<KafkaSource>(new KafkaSource());
  Impl* impl = source->impl_.get();
  impl->brokers = fmt::format("{}", fmt::join(connection.brokers, ","));
  impl->group = group;
  rd_kafka_conf_set_opaque(conf.get(), impl);
  rd_kafka_conf_set_rebalance_cb(
      conf.get(), [](rd_kafka_t*, rd_kafka_resp_err_t error, rd_kafka_topic_partition_list_t* list,
                     void* opaque) { static_cast<Impl*>(opaque)->on_rebalance(error, list); });
  rd_kafka_conf_set_error_cb(conf.get(), [](rd_kafka_t*, int error, const char* reason, void* opaque) {
    static_cast<Impl*>(opaque)->on_error(static_cast<rd_kafka_resp_err_t>(error), reason);
  });
  rd_kafka_conf_set_stats_cb(conf.get(), [](rd_kafka_t*, char* json, std::size_t length, void* opaque) {
    // A broker is connected again: the last error no longer applies.
    if (std::string_view(json, length).find("\"state\":\"UP\"") != std::string_view::npos) {
      static_cast<Impl*>(opaque)->broker_problem.clear();
    }
    return 0;  // librdkafka frees the text
  });
  // librdkafka's own log repeats while no broker answers; status() gives the reason once.
  rd_kafka_conf_set_log_cb(conf.get(), [](const rd_kafka_t*, int, const char*, const char*) {});

  std::array<char, kErrorTextBytes> why{};
  {
    const TimerSlackOfNewThreads slack(kKafkaTimerSlack);
    impl->consumer.reset(rd_kafka_new(RD_KAFKA_CONSUMER, conf.get(), why.data(), why.size()));
  }
  if (!impl->consumer) {
    return fail(Code::kInvalid, fmt::format("source.kafka: {}", why.data()),
                "correct [source.kafka] and [source.kafka.librdkafka]");
  }
  std::ignore = conf.release();  // the consumer owns it now
  rd_kafka_poll_set_consumer(impl->consumer.get());

  auto list = make_list(topics.size());
  for (const auto& topic : topics) add_to(list, {topic, RD_KAFKA_PARTITION_UA}, RD_KAFKA_OFFSET_INVALID);
  if (const auto error = rd_kafka_subscribe(impl->consumer.get(), list.get());
      error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return fail(Code::kInvalid, fmt::format("source.kafka: topics: {}", rd_kafka_err2str(error)),
                "name at least one topic, each once");
  }
  return source;
}

Result<void> KafkaSource::poll(std::chrono::milliseconds timeout, std::size_t max_events,
                               std::vector<SourceEvent>& out) {
  const std::size_t before = out.size();
  impl_->retry(out);
  impl_->look_for_missing_topics();
  auto wait_ms = static_cast<int>(timeout.count());
  while (out.size() - before < max_events) {
    const KafkaMessage message(rd_kafka_consumer_poll(impl_->consumer.get(), wait_ms));
    const bool rebalanced = !impl_->events.empty();
    std::move(impl_->events.begin(), impl_->events.end(), std::back_inserter(out));
    impl_->events.clear();
    if (message) {
      impl_->on_message(*message, out);
    } else if (!rebalanced) {
      break;
    }
    if (rebalanced) break;  // the caller must answer the rebalance before the next poll
    wait_ms = 0;
  }
  std::array<char, kErrorTextBytes> why{};
  const auto fatal = rd_kafka_fatal_error(impl_->consumer.get(), why.data(), why.size());
  if (fatal != RD_KAFKA_RESP_ERR_NO_ERROR) {
    return fail(Code::kIo, fmt::format("kafka {}: {}", impl_->brokers, why.data()),
                "start weir-aggregator again; what was not committed is read again");
  }
  return {};
}

Result<void> KafkaSource::start_at(const PartitionKey& partition, std::int64_t offset) {
  if (const auto it = impl_->starting.find(partition); it != impl_->starting.end()) {
    it->second = offset;
    const bool all = std::all_of(impl_->starting.begin(), impl_->starting.end(),
                                 [](const auto& entry) { return entry.second.has_value(); });
    return all ? impl_->assign_started() : Result<void>();
  }
  // Fenced and acquired again: the partition stayed assigned to us the whole time.
  if (const auto it = impl_->next_offsets.find(partition); it != impl_->next_offsets.end()) {
    it->second = offset;
    impl_->out_of_range.erase(partition);
    impl_->seeks[partition] = offset;
    impl_->retry_at = {};
  }
  return {};
}

void KafkaSource::revoked_done() {
  if (!impl_->revoking) return;
  const PartitionList list = std::move(impl_->revoking);
  impl_->unassign(list.get());
}

void KafkaSource::committed(const PartitionKey& partition, std::int64_t next_offset) {
  auto list = make_list(1);
  add_to(list, partition, next_offset);
  rd_kafka_commit(impl_->consumer.get(), list.get(), 1);
}

void KafkaSource::pause(bool paused) {
  if (impl_->pauses.paused() == paused) return;
  if (paused) {
    impl_->pause(impl_->pauses.pause());
  } else {
    impl_->resume(impl_->pauses.resume());
  }
}

std::string KafkaSource::cluster_id() {
  char* id = rd_kafka_clusterid(impl_->consumer.get(), 0);
  if (id == nullptr) return {};
  std::string text(id);
  rd_kafka_mem_free(impl_->consumer.get(), id);
  return text;
}

std::string KafkaSource::status() const {
  if (!impl_->broker_problem.empty()) return impl_->broker_problem;
  if (!impl_->missing_topics.empty())
    return fmt::format("kafka {}: topic \"{}\" does not exist; create it, or correct topics", impl_->brokers,
                       *impl_->missing_topics.begin());
  return impl_->topic_problem;
}

}  // namespace weir
