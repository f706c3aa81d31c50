// Finds how many partitions each topic has. A separate thread queries the broker, because librdkafka's call
// blocks until the answer comes and the agent's loop must not block.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

struct rd_kafka_s;

namespace weir {

class KafkaTopics {
 public:
  struct Answer {
    std::vector<std::int32_t> partitions;  // of each topic; empty unless all topics exist
    std::size_t missing = 0;               // otherwise, the first topic that does not exist
    std::string why;                       // and the broker's reason; "" if no broker answered
    std::string no_broker;                 // why no broker answered; "" if one did
    [[nodiscard]] bool complete() const { return !partitions.empty(); }
  };
  // Queries at once, then every second until the answer is complete, then once a minute. `on_answer` is
  // called on the querying thread after each answer. `producer` must outlive this object.
  KafkaTopics(rd_kafka_s* producer, std::vector<std::string> names, std::function<void()> on_answer);
  // Waits for a query in progress: 100 ms at first, up to 1 s after timeouts.
  ~KafkaTopics();
  KafkaTopics(const KafkaTopics&) = delete;
  KafkaTopics& operator=(const KafkaTopics&) = delete;

  // Returns the newest answer, and each answer only once. Any thread may call it. Does not wait for the
  // broker.
  [[nodiscard]] std::optional<Answer> take();

 private:
  void run();
  [[nodiscard]] Answer ask();
  void ask_topic(std::size_t topic, Answer& answer);
  [[nodiscard]] bool stopping();

  rd_kafka_s* producer_;
  std::vector<std::string> names_;
  std::function<void()> on_answer_;
  std::chrono::milliseconds patience_;  // used by the thread: how long one step of a query waits
  std::mutex mutex_;                    // guards the next two members
  bool stop_ = false;
  std::optional<Answer> newest_;
  std::condition_variable stopped_;
  std::thread thread_;  // last, because it uses the other members
};

}  // namespace weir
