// A channel sends alerts out: it composes letters when alerts change, and delivers them from the outbox. How
// to add one: docs/extending.md.
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
  // Success: the receiver accepted the letter. After any error the letter is tried again. Errors must not
  // contain secrets: they are written to the store and the journal, and shown by /health.
  // Thread: the warner's. Blocks, for less than kDeliveryTimeout.
  [[nodiscard]] virtual Result<void> deliver(const Letter& letter) = 0;
  // Whether all addresses use the same server. If so, one failure makes trying the others pointless.
  [[nodiscard]] virtual bool has_one_server() const = 0;
};
inline constexpr std::chrono::seconds kDeliveryTimeout{60};

// If one rule has more notices than this at once, they share a letter, so that ten thousand sites do not
// cause ten thousand letters. A letter lists at most kMaxListed of them.
inline constexpr std::size_t kGroupAbove = 10;
inline constexpr std::size_t kMaxListed = 200;

// Changes found by one evaluation: notices of one rule that all fire or all clear. Either one notice or more
// than kGroupAbove.
using NoticeGroup = std::vector<const Notice*>;

}  // namespace weir
