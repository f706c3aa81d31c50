// Reads a topic for inspection. It joins no group, so it commits nothing and does not affect other consumers.
// Uses librdkafka's simple consumer. For settling see aggregator/source/kafka_source.h.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/kafka_connection.h"
#include "proto/result.h"

namespace weir {

// Where to begin in each partition.
struct KafkaStart {
  enum class From : std::uint8_t { kBeginning, kEnd, kOffset, kLast };
  From from = From::kBeginning;
  std::int64_t value = 0;  // the offset, or the number of last messages
  friend bool operator==(const KafkaStart&, const KafkaStart&) = default;
};
// "beginning", "end", "120", "-10" (the last ten).
[[nodiscard]] Result<KafkaStart> parse_kafka_start(std::string_view text);

struct KafkaReadOptions {
  std::string topic;
  std::vector<std::int32_t> partitions;  // empty: all that exist when open() is called
  KafkaStart start;
  bool follow = false;  // at the end, wait for more messages
  std::chrono::milliseconds answer_timeout{10'000};
};

struct KafkaRecord {
  std::int32_t partition = 0;
  std::int64_t offset = 0;
  std::int64_t timestamp_ms = 0;  // 0: none
  std::string payload;
};

// Not thread-safe.
class KafkaReader {
 public:
  // Asks the brokers for the partitions and their ends. Errors: kInvalid (a property), kUnavailable (no
  // broker answers in time), kNotFound (the topic, partition or offset does not exist).
  [[nodiscard]] static Result<std::unique_ptr<KafkaReader>> open(const KafkaConnection& connection,
                                                                 const KafkaReadOptions& options);
  ~KafkaReader();
  KafkaReader(const KafkaReader&) = delete;
  KafkaReader& operator=(const KafkaReader&) = delete;

  // Returns the next message of any partition, in order of arrival. Nothing: none arrived within `timeout`,
  // or done(). Errors: kUnavailable when a partition can no longer be read.
  [[nodiscard]] Result<std::optional<KafkaRecord>> next(std::chrono::milliseconds timeout);
  // Without `follow`: every message that existed at open() has been returned.
  [[nodiscard]] bool done() const;
  // The current problem ("no broker answers"), or "".
  [[nodiscard]] std::string status() const;
  // A note for the user: requested offsets whose messages no longer exist.
  [[nodiscard]] const std::vector<std::string>& notes() const;

 private:
  KafkaReader();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
