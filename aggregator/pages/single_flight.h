// Concurrent identical questions share one answer: the first caller asks, the others wait for it. Any thread.
// An answer is forgotten as soon as it was returned.
#pragma once

#include <cstddef>
#include <exception>
#include <future>
#include <map>
#include <mutex>
#include <utility>

namespace weir {

template <class Key, class Answer>
class SingleFlight {
 public:
  // Calls `question`, unless the same key is already being asked: then waits for that answer and returns it.
  // An exception from `question` reaches all callers that wait for it.
  template <class Question>
  [[nodiscard]] Answer ask(const Key& key, Question question) {
    std::promise<Answer> promise;
    std::shared_future<Answer> under_way;
    {
      const std::lock_guard lock(mutex_);
      const auto [at, first] = in_flight_.try_emplace(key);
      if (first) {
        at->second = promise.get_future().share();
      } else {
        under_way = at->second;
        ++waiting_;
      }
    }
    if (under_way.valid()) return wait_for(under_way);
    try {
      promise.set_value(question());
    } catch (...) {
      promise.set_exception(std::current_exception());
    }
    return land(key);
  }

  // Callers that wait for another caller's answer.
  [[nodiscard]] std::size_t waiting() const {
    const std::lock_guard lock(mutex_);
    return waiting_;
  }

 private:
  Answer wait_for(const std::shared_future<Answer>& under_way) {
    under_way.wait();
    {
      const std::lock_guard lock(mutex_);
      --waiting_;
    }
    return under_way.get();
  }
  Answer land(const Key& key) {
    std::shared_future<Answer> landed;
    {
      const std::lock_guard lock(mutex_);
      landed = in_flight_.extract(key).mapped();
    }
    return landed.get();
  }

  mutable std::mutex mutex_;  // guards the members below
  std::map<Key, std::shared_future<Answer>> in_flight_;
  std::size_t waiting_ = 0;
};

}  // namespace weir
