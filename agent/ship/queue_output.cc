#include "agent/ship/queue_output.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

namespace weir {

QueueOutput::QueueOutput(std::size_t max_messages)
    : max_messages_(max_messages), event_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}

QueueOutput::~QueueOutput() {
  if (event_fd_ >= 0) ::close(event_fd_);
}

void QueueOutput::set_on_settled(Settled on_settled) { on_settled_ = std::move(on_settled); }

Result<void> QueueOutput::send(Message& message) {
  const std::lock_guard lock(mutex_);
  if (queue_.size() + outstanding_.size() >= max_messages_) return fail(Code::kFull, "queue: full");
  queue_.push_back(std::move(message));
  arrived_.notify_one();
  return {};
}

void QueueOutput::poll() {
  std::uint64_t count = 0;
  // The descriptor is non-blocking, and an empty counter is not an error.
  [[maybe_unused]] const auto got = ::read(event_fd_, &count, sizeof count);
  std::vector<std::uint64_t> settled;
  {
    const std::lock_guard lock(mutex_);
    settled.swap(settled_);
  }
  for (const auto id : settled) on_settled_(id, nullptr);
}

OutputStatus QueueOutput::status() const {
  return {.connected = true, .blocked_because = {}, .reconnects = 0};
}

void QueueOutput::pop(std::chrono::milliseconds timeout, std::size_t max_messages,
                      std::vector<Message>& out) {
  std::unique_lock lock(mutex_);
  arrived_.wait_for(lock, timeout, [&] { return !queue_.empty(); });
  while (!queue_.empty() && max_messages-- > 0) {
    outstanding_.push_back(queue_.front().id);
    out.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
}

void QueueOutput::acknowledge(std::uint64_t up_to_id) {
  const std::lock_guard lock(mutex_);
  while (!outstanding_.empty() && outstanding_.front() <= up_to_id) {
    settled_.push_back(outstanding_.front());
    outstanding_.pop_front();
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto put = ::write(event_fd_, &one, sizeof one);
}

}  // namespace weir
