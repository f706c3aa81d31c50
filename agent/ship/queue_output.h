// The output of a single box: a bounded queue in this process, drained by aggregator/source/local. Any thread
// may call pop() and acknowledge(); the other calls come from the loop's thread.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <vector>

#include "agent/ship/output.h"

namespace weir {

class QueueOutput : public Output {
 public:
  explicit QueueOutput(std::size_t max_messages = 64);
  ~QueueOutput() override;
  void set_on_settled(Settled on_settled) override;
  [[nodiscard]] Result<void> send(Message& message) override;
  [[nodiscard]] std::int32_t partition_count(std::size_t /*route*/) override { return 1; }
  void poll() override;
  [[nodiscard]] int readable_fd() const override { return event_fd_; }
  [[nodiscard]] OutputStatus status() const override;

  // For the consumer. Waits up to `timeout` for the first message. Ids ascend.
  void pop(std::chrono::milliseconds timeout, std::size_t max_messages, std::vector<Message>& out);
  void acknowledge(std::uint64_t up_to_id);  // settles all ids <= up_to_id

 private:
  mutable std::mutex mutex_;
  std::condition_variable arrived_;
  std::deque<Message> queue_;
  std::vector<std::uint64_t> settled_;     // acknowledged, not yet passed to on_settled
  std::deque<std::uint64_t> outstanding_;  // popped, not yet acknowledged
  Settled on_settled_;
  std::size_t max_messages_;
  int event_fd_ = -1;
};

}  // namespace weir
