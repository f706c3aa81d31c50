#include "agent/ship/kafka_topics.h"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "agent/ship/kafka_producer.h"

namespace weir {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kPauseWhileIncomplete{1000};
constexpr milliseconds kPauseOnceComplete{60'000};  // to notice new partitions
// A query is given up after this time.
constexpr milliseconds kGiveUpAfter{1000};
// A query is made in steps that wait no longer than this, so the destructor waits no longer either. If a step
// times out, the next ones wait longer, so a slow broker can still answer.
constexpr milliseconds kLeastPatience{100};

}  // namespace

KafkaTopics::KafkaTopics(rd_kafka_s* producer, std::vector<std::string> names,
                         std::function<void()> on_answer)
    : producer_(producer),
      names_(std::move(names)),
      on_answer_(std::move(on_answer)),
      patience_(kLeastPatience),
      thread_([this] { run(); }) {}

KafkaTopics::~KafkaTopics() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  stopped_.notify_all();
  thread_.join();
}

std::optional<KafkaTopics::Answer> KafkaTopics::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(newest_, std::nullopt);
}

bool KafkaTopics::stopping() {
  const std::lock_guard lock(mutex_);
  return stop_;
}

void KafkaTopics::run() {
  bool once_complete = false;
  while (!stopping()) {
    auto answer = ask();
    // If no broker answers, the topics are still known.
    once_complete = answer.complete() || (once_complete && !answer.no_broker.empty());
    {
      const std::lock_guard lock(mutex_);
      if (stop_) return;
      newest_ = std::move(answer);
    }
    on_answer_();
    std::unique_lock lock(mutex_);
    stopped_.wait_for(lock, once_complete ? kPauseOnceComplete : kPauseWhileIncomplete,
                      [this] { return stop_; });
  }
}

KafkaTopics::Answer KafkaTopics::ask() {
  Answer answer;
  for (std::size_t topic = 0; topic < names_.size(); ++topic) {
    ask_topic(topic, answer);
    if (answer.no_broker.empty() && answer.why.empty()) continue;
    answer.partitions.clear();
    break;
  }
  return answer;
}

// Adds the topic's partitions to the answer, or the reason why that failed.
void KafkaTopics::ask_topic(std::size_t topic, Answer& answer) {
  const auto handle = make_kafka_topic(producer_, names_[topic]);
  const rd_kafka_metadata_t* raw = nullptr;
  auto code = RD_KAFKA_RESP_ERR__TIMED_OUT;
  for (const auto deadline = Clock::now() + kGiveUpAfter; Clock::now() < deadline && !stopping();) {
    code = rd_kafka_metadata(producer_, 0, handle.get(), &raw, static_cast<int>(patience_.count()));
    if (code == RD_KAFKA_RESP_ERR_NO_ERROR) break;
    if (code == RD_KAFKA_RESP_ERR__TIMED_OUT) patience_ = std::min(2 * patience_, kGiveUpAfter);
  }
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) {
    answer.no_broker = rd_kafka_err2str(code);
    return;
  }
  const std::unique_ptr<const rd_kafka_metadata_t, decltype(&rd_kafka_metadata_destroy)> metadata(
      raw, &rd_kafka_metadata_destroy);
  const bool listed = metadata->topic_cnt == 1;
  if (listed && metadata->topics[0].err == RD_KAFKA_RESP_ERR_NO_ERROR &&
      metadata->topics[0].partition_cnt > 0) {
    answer.partitions.push_back(metadata->topics[0].partition_cnt);
    return;
  }
  answer.missing = topic;
  answer.why = listed ? rd_kafka_err2str(metadata->topics[0].err) : "not listed";
}

}  // namespace weir
