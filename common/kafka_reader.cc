#include "common/kafka_reader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <set>
#include <tuple>

namespace weir {
namespace {

using Client = std::unique_ptr<rd_kafka_t, decltype(&rd_kafka_destroy)>;
using Topic = std::unique_ptr<rd_kafka_topic_t, decltype(&rd_kafka_topic_destroy)>;
using Queue = std::unique_ptr<rd_kafka_queue_t, decltype(&rd_kafka_queue_destroy)>;
using Conf = std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)>;
using Message = std::unique_ptr<rd_kafka_message_t, decltype(&rd_kafka_message_destroy)>;
using Metadata = std::unique_ptr<const rd_kafka_metadata_t, decltype(&rd_kafka_metadata_destroy)>;

// These would make it join a group. It must only read, whatever is configured.
const std::set<std::string> kIgnoredProperties = {"group.id", "group.instance.id", "enable.auto.commit",
                                                  "auto.commit.enable", "enable.auto.offset.store"};

const std::vector<std::pair<const char*, const char*>>& own_properties() {
  static const std::vector<std::pair<const char*, const char*>> properties = {
      {"enable.auto.commit", "false"},
      {"enable.auto.offset.store", "false"},
      {"auto.offset.reset", "earliest"},
      {"isolation.level", "read_committed"},
      {"enable.partition.eof", "true"},
      {"allow.auto.create.topics", "false"},
      // Messages prefetched per partition: bounds the memory.
      {"queued.min.messages", "100"},
      {"queued.max.messages.kbytes", "1024"},
      {"fetch.max.bytes", "16777216"},
      {"reconnect.backoff.max.ms", "2000"},
  };
  return properties;
}

// librdkafka adds counters in brackets, which would make each repetition look like a new message.
std::string without_counters(std::string_view what) {
  return std::string(what.substr(0, what.find(" (after ")));
}

struct Bounds {
  std::int64_t low = 0, high = 0;
};

}  // namespace

Result<KafkaStart> parse_kafka_start(std::string_view text) {
  if (text == "beginning") return KafkaStart{};
  if (text == "end") return KafkaStart{KafkaStart::From::kEnd, 0};
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() ||
      value == std::numeric_limits<std::int64_t>::min())
    return fail(Code::kInvalid, fmt::format("\"{}\" is not an offset", text),
                "write beginning, end, an offset, or -10 for the last ten");
  if (text.starts_with('-')) return KafkaStart{KafkaStart::From::kLast, -value};
  return KafkaStart{KafkaStart::From::kOffset, value};
}

struct KafkaReader::Impl {
  KafkaReadOptions options;
  std::string brokers;
  Client client{nullptr, &rd_kafka_destroy};
  Topic topic{nullptr, &rd_kafka_topic_destroy};
  Queue queue{nullptr, &rd_kafka_queue_destroy};
  std::vector<std::int32_t> started;
  std::map<std::int32_t, std::int64_t> ends;  // of the partitions that are not yet read to their end
  std::vector<std::string> notes;
  std::string problem;

  Result<void> connect(const KafkaConnection& connection);
  Result<std::vector<std::int32_t>> ask_partitions();
  Result<Bounds> ask_bounds(std::int32_t partition);
  Result<std::int64_t> first_offset(std::int32_t partition, const Bounds& bounds);
  Result<void> start();
  [[nodiscard]] Error no_answer(std::string_view why) const;
};

Result<void> KafkaReader::Impl::connect(const KafkaConnection& connection) {
  Conf conf(rd_kafka_conf_new(), &rd_kafka_conf_destroy);
  std::array<char, 512> why{};
  auto properties = kafka_properties(connection);
  properties.insert(properties.end(), own_properties().begin(), own_properties().end());
  for (const auto& [name, value] : connection.librdkafka) {
    if (!kIgnoredProperties.contains(name)) properties.emplace_back(name, value);
  }
  for (const auto& [name, value] : properties) {
    if (rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), why.data(), why.size()) !=
        RD_KAFKA_CONF_OK)
      return fail(Code::kInvalid, fmt::format("kafka: property {}: {}", name, why.data()),
                  "correct the property in the configuration");
  }
  rd_kafka_conf_set_opaque(conf.get(), this);
  rd_kafka_conf_set_error_cb(conf.get(), [](rd_kafka_t*, int error, const char* reason, void* opaque) {
    auto& self = *static_cast<Impl*>(opaque);
    // The previous error gives the reason; this one only reports that all brokers are down.
    if (error != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || self.problem.empty())
      self.problem = without_counters(reason);
  });
  // librdkafka would repeat itself while a broker is down; status() reports the reason once.
  rd_kafka_conf_set_log_cb(conf.get(), [](const rd_kafka_t*, int, const char*, const char*) {});
  client.reset(rd_kafka_new(RD_KAFKA_CONSUMER, conf.get(), why.data(), why.size()));
  if (!client)
    return fail(Code::kInvalid, fmt::format("kafka: {}", why.data()), "check the tls and sasl keys");
  std::ignore = conf.release();  // now owned by the client
  topic.reset(rd_kafka_topic_new(client.get(), options.topic.c_str(), nullptr));
  queue.reset(rd_kafka_queue_new(client.get()));
  return {};
}

Error KafkaReader::Impl::no_answer(std::string_view why) const {
  rd_kafka_poll(client.get(), 0);  // the error callback may give a better reason than "timed out"
  return {Code::kUnavailable,
          fmt::format("no broker of {} answers within {} ms: {}", brokers, options.answer_timeout.count(),
                      problem.empty() ? why : problem),
          "check the addresses, the network, tls and sasl"};
}

Result<std::vector<std::int32_t>> KafkaReader::Impl::ask_partitions() {
  const rd_kafka_metadata_t* raw = nullptr;
  const auto error =
      rd_kafka_metadata(client.get(), 0, topic.get(), &raw, static_cast<int>(options.answer_timeout.count()));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(no_answer(rd_kafka_err2str(error)));
  const Metadata metadata(raw, &rd_kafka_metadata_destroy);
  const bool listed = metadata->topic_cnt == 1;
  if (!listed || metadata->topics[0].err != RD_KAFKA_RESP_ERR_NO_ERROR)
    return fail(Code::kNotFound,
                fmt::format("topic {} at {}: {}", options.topic, brokers,
                            listed ? rd_kafka_err2str(metadata->topics[0].err) : "not listed"),
                "correct the topic's name, or create it");
  std::vector<std::int32_t> all;
  all.reserve(static_cast<std::size_t>(metadata->topics[0].partition_cnt));
  for (int i = 0; i < metadata->topics[0].partition_cnt; ++i)
    all.push_back(metadata->topics[0].partitions[i].id);
  std::sort(all.begin(), all.end());
  for (const auto partition : options.partitions) {
    if (!std::binary_search(all.begin(), all.end(), partition))
      return fail(Code::kNotFound, fmt::format("topic {} has no partition {}", options.topic, partition),
                  fmt::format("it has {}, from 0", all.size()));
  }
  if (options.partitions.empty()) return all;
  const std::set<std::int32_t> once(options.partitions.begin(), options.partitions.end());
  return std::vector<std::int32_t>(once.begin(), once.end());
}

Result<Bounds> KafkaReader::Impl::ask_bounds(std::int32_t partition) {
  Bounds bounds;
  const auto error =
      rd_kafka_query_watermark_offsets(client.get(), options.topic.c_str(), partition, &bounds.low,
                                       &bounds.high, static_cast<int>(options.answer_timeout.count()));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) return std::unexpected(no_answer(rd_kafka_err2str(error)));
  return bounds;
}

Result<std::int64_t> KafkaReader::Impl::first_offset(std::int32_t partition, const Bounds& bounds) {
  const auto value = options.start.value;
  switch (options.start.from) {
    case KafkaStart::From::kBeginning:
      return bounds.low;
    case KafkaStart::From::kEnd:
      return bounds.high;
    case KafkaStart::From::kLast:
      return std::max(bounds.low, bounds.high - std::min(value, bounds.high));
    case KafkaStart::From::kOffset:
      break;
  }
  if (value > bounds.high)
    return fail(Code::kNotFound,
                fmt::format("{}[{}] has no offset {} yet; it ends at {}", options.topic, partition, value,
                            bounds.high),
                "give an earlier offset, or --offset end");
  if (value < bounds.low)
    notes.push_back(fmt::format("{}[{}]@{} no longer exists; the partition begins at {}", options.topic,
                                partition, value, bounds.low));
  return std::max(value, bounds.low);
}

Result<void> KafkaReader::Impl::start() {
  const auto partitions = ask_partitions();
  if (!partitions) return std::unexpected(partitions.error());
  for (const auto partition : *partitions) {
    const auto bounds = ask_bounds(partition);
    if (!bounds) return std::unexpected(bounds.error());
    const auto first = first_offset(partition, *bounds);
    if (!first) return std::unexpected(first.error());
    if (!options.follow && *first >= bounds->high) continue;
    if (rd_kafka_consume_start_queue(topic.get(), partition, *first, queue.get()) != 0)
      return fail(Code::kUnavailable, fmt::format("{}[{}]: {}", options.topic, partition,
                                                  rd_kafka_err2str(rd_kafka_last_error())));
    started.push_back(partition);
    ends[partition] = bounds->high;
  }
  return {};
}

KafkaReader::KafkaReader() : impl_(std::make_unique<Impl>()) {}

KafkaReader::~KafkaReader() {
  for (const auto partition : impl_->started) rd_kafka_consume_stop(impl_->topic.get(), partition);
}

Result<std::unique_ptr<KafkaReader>> KafkaReader::open(const KafkaConnection& connection,
                                                       const KafkaReadOptions& options) {
  std::unique_ptr<KafkaReader> reader(new KafkaReader);
  auto& impl = *reader->impl_;
  impl.options = options;
  impl.brokers = fmt::format("{}", fmt::join(connection.brokers, ","));
  if (auto done = impl.connect(connection); !done) return std::unexpected(done.error());
  if (auto done = impl.start(); !done) return std::unexpected(done.error());
  return reader;
}

Result<std::optional<KafkaRecord>> KafkaReader::next(std::chrono::milliseconds timeout) {
  auto& impl = *impl_;
  if (done()) return std::nullopt;
  rd_kafka_poll(impl.client.get(), 0);  // runs the error callback
  const Message message(rd_kafka_consume_queue(impl.queue.get(), static_cast<int>(timeout.count())),
                        &rd_kafka_message_destroy);
  if (!message) return std::nullopt;
  switch (message->err) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      break;
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
      // Reaching the end may come before the last offset is returned: transaction markers and compacted
      // messages have offsets but are never returned.
      impl.problem.clear();
      if (!impl.options.follow) impl.ends.erase(message->partition);
      return std::nullopt;
    case RD_KAFKA_RESP_ERR__TRANSPORT:
    case RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN:
    case RD_KAFKA_RESP_ERR__TIMED_OUT:
      return std::nullopt;  // librdkafka reconnects; the error callback gave the reason
    default:
      return fail(Code::kUnavailable,
                  fmt::format("{}[{}]: {}", impl.options.topic, message->partition,
                              rd_kafka_message_errstr(message.get())),
                  "check that the user may read the topic");
  }
  impl.problem.clear();
  if (const auto end = impl.ends.find(message->partition); !impl.options.follow) {
    if (end == impl.ends.end()) return std::nullopt;  // it arrived after open()
    const auto was_end = end->second;
    if (message->offset + 1 >= was_end) impl.ends.erase(end);
    if (message->offset >= was_end) return std::nullopt;
  }
  KafkaRecord record;
  record.partition = message->partition;
  record.offset = message->offset;
  rd_kafka_timestamp_type_t type{};
  record.timestamp_ms = std::max<std::int64_t>(0, rd_kafka_message_timestamp(message.get(), &type));
  if (message->payload != nullptr)
    record.payload.assign(static_cast<const char*>(message->payload), message->len);
  return record;
}

bool KafkaReader::done() const { return !impl_->options.follow && impl_->ends.empty(); }
std::string KafkaReader::status() const { return impl_->problem; }
const std::vector<std::string>& KafkaReader::notes() const { return impl_->notes; }

}  // namespace weir
