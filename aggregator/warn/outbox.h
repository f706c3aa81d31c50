// Empties the outbox of the store: claims what is due, delivers, says what failed.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "aggregator/store/alerts.h"
#include "aggregator/warn/mailer.h"

namespace weir {

// 5 s after the first failure, doubling, at most 10 minutes.
[[nodiscard]] std::int64_t retry_delay_ms(std::uint32_t failed_attempts);

struct OutboxResult {
  std::uint64_t delivered = 0;
  std::string problem;  // of the last delivery that failed
};
// Delivers what is due, until one fails: a server that is away makes every mail wait.
// An error is the store's.
[[nodiscard]] Result<OutboxResult> deliver_due(Alerts& store, Mailer& mailer,
                                               const std::function<std::int64_t()>& now_ms,
                                               const std::function<bool()>& stop);

}  // namespace weir
