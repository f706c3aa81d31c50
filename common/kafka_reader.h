// Reads a topic to look at it: in no group, so that nothing is committed and nobody's partitions
// move. The simple consumer of librdkafka; not for settling (aggregator/source/kafka_source.h is).
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

// Where to begin, in each partition.
struct KafkaStart {
  enum class From : std::uint8_t { kBeginning, kEnd, kOffset, kLast };
  From from = From::kBeginning;
  std::int64_t value = 0;  // the offset, or how many of the last messages
  friend bool operator==(const KafkaStart&, const KafkaStart&) = default;
};
// "beginning", "end", "120", "-10" (the last ten).
[[nodiscard]] Result<KafkaStart> parse_kafka_start(std::string_view text);

struct KafkaReadOptions {
  std::string topic;
  std::vector<std::int32_t> partitions;  // empty: all that there are now
  KafkaStart start;
  bool follow = false;  // at the end, wait for more
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
  // Asks the brokers for the partitions and their ends. Errors: kInvalid (a property),
  // kUnavailable (no broker answers in time), kNotFound (no such topic or partition; an offset that
  // is not there yet).
  [[nodiscard]] static Result<std::unique_ptr<KafkaReader>> open(const KafkaConnection& connection,
                                                                 const KafkaReadOptions& options);
  ~KafkaReader();
  KafkaReader(const KafkaReader&) = delete;
  KafkaReader& operator=(const KafkaReader&) = delete;

  // The next message, of any partition, in the order in which they come. Nothing: none came within
  // `timeout`, or done(). Errors: kUnavailable, a partition cannot be read any more.
  [[nodiscard]] Result<std::optional<KafkaRecord>> next(std::chrono::milliseconds timeout);
  // Not following: everything that was there at open() was given.
  [[nodiscard]] bool done() const;
  // What is wrong at the moment ("no broker answers"), or "".
  [[nodiscard]] std::string status() const;
  // What the asker should know of where it began: offsets whose messages are gone.
  [[nodiscard]] const std::vector<std::string>& notes() const;

 private:
  KafkaReader();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
