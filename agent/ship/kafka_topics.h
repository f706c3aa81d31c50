// How many partitions each topic has. A thread asks the broker, because librdkafka's question waits for the
// answer and the agent's loop must not.
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
    std::vector<std::int32_t> partitions;  // of each topic; empty unless all of them exist
    std::size_t missing = 0;               // otherwise: the first topic that does not exist
    std::string why;                       // and why the broker says so; "" when no broker answered
    std::string no_broker;                 // why no broker answered; "" when one did
    [[nodiscard]] bool complete() const { return !partitions.empty(); }
  };
  // Asks at once, every second until the answer is complete, then once a minute. `on_answer` is called on
  // the thread that asks, after each answer. `producer` outlives this.
  KafkaTopics(rd_kafka_s* producer, std::vector<std::string> names, std::function<void()> on_answer);
  // Waits for a question that is under way: 100 ms while no broker is connected.
  ~KafkaTopics();
  KafkaTopics(const KafkaTopics&) = delete;
  KafkaTopics& operator=(const KafkaTopics&) = delete;

  // The newest answer, once. Any thread. Does not wait for the broker.
  [[nodiscard]] std::optional<Answer> take();

 private:
  void run();
  [[nodiscard]] Answer ask();
  void ask_topic(std::size_t topic, Answer& answer);
  [[nodiscard]] bool stopping();

  rd_kafka_s* producer_;
  std::vector<std::string> names_;
  std::function<void()> on_answer_;
  std::chrono::milliseconds patience_;  // of the thread: how long one question waits
  std::mutex mutex_;                    // guards the two below
  bool stop_ = false;
  std::optional<Answer> newest_;
  std::condition_variable stopped_;
  std::thread thread_;  // last: it uses the others
};

}  // namespace weir
