// Empties the store's outbox: claims the letters that are due, delivers them, and records failures.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "aggregator/store/alerts.h"
#include "aggregator/warn/channel.h"
#include "common/clock.h"

namespace weir {

// 5 s after the first failure, then doubled each time up to 10 minutes.
[[nodiscard]] std::int64_t retry_delay_ms(std::uint32_t failed_attempts);

struct OutboxResult {
  std::uint64_t delivered = 0;
  std::string problem;  // of the last failed delivery
};
// Delivers the channel's letters that are due. If a server has just failed, its other letters are not tried:
// they fail with the same error. A returned error is the store's.
[[nodiscard]] Result<OutboxResult> deliver_due(Alerts& store, std::string_view channel, Deliverer& deliverer,
                                               const Clock& clock, const std::function<bool()>& stop);

}  // namespace weir
