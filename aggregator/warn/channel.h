// A channel is a way for alerts to leave: it composes letters when alerts change, and delivers them
// from the outbox. How to add one: docs/extending.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "aggregator/store/alerts.h"
#include "aggregator/warn/rules.h"
#include "proto/result.h"

namespace weir {

// Delivers the letters of one channel.
class Deliverer {
 public:
  virtual ~Deliverer() = default;
  // Success: the receiver took the letter. Each error is followed by another try. It names no secret:
  // it is written to the store and the journal and shown by /health.
  // Thread: the warner's. Blocks, for less than kDeliveryTimeout.
  [[nodiscard]] virtual Result<void> deliver(const Letter& letter) = 0;
  // Whether all addresses have one server: after one failure, the others need not be tried.
  [[nodiscard]] virtual bool has_one_server() const = 0;
};
inline constexpr std::chrono::seconds kDeliveryTimeout{60};

// More notices of one rule than this at once share a letter, so that ten thousand sites do not make
// ten thousand letters. A letter lists at most kMaxListed of them.
inline constexpr std::size_t kGroupAbove = 10;
inline constexpr std::size_t kMaxListed = 200;

// What has changed at one evaluation: notices of one rule that all fire or all clear. One, or more than
// kGroupAbove.
using NoticeGroup = std::vector<const Notice*>;

}  // namespace weir
