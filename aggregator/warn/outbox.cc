#include "aggregator/warn/outbox.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "aggregator/warn/mime.h"
#include "proto/must.h"

namespace weir {
namespace {

// Longer than a delivery may take, so that no other aggregator delivers a claimed letter.
constexpr std::int64_t kClaimMs = 120'000;
static_assert(std::chrono::milliseconds(kDeliveryTimeout).count() < kClaimMs);
constexpr std::size_t kLettersPerRound = 50;
constexpr std::size_t kMaxErrorBytes = 500;

}  // namespace

std::int64_t retry_delay_ms(std::uint32_t failed_attempts) {
  constexpr std::int64_t kFirstMs = 5'000;
  constexpr std::int64_t kLongestMs = 600'000;
  const std::uint32_t doublings = std::min<std::uint32_t>(failed_attempts > 0 ? failed_attempts - 1 : 0, 7);
  return std::min(kFirstMs << doublings, kLongestMs);
}

Result<OutboxResult> deliver_due(Alerts& store, std::string_view channel, Deliverer& deliverer,
                                 const Clock& clock, const std::function<bool()>& stop) {
  OutboxResult out;
  std::map<std::string, Error> failed;  // addresses that failed in this round
  for (std::size_t i = 0; i < kLettersPerRound && !stop(); ++i) {
    const auto claimed = store.claim_letters(channel, clock.wall_ms(), kClaimMs, 1);
    if (!claimed) return std::unexpected(claimed.error());
    if (claimed->empty()) break;
    const Letter& letter = claimed->front();
    MUST(letter.channel == channel, "a claimed letter is of the channel that asked");
    const auto known = failed.find(letter.address);
    const Result<void> sent =
        known != failed.end() ? Result<void>(std::unexpected(known->second)) : deliverer.deliver(letter);
    if (sent) {
      if (const auto done = store.letter_delivered(letter.id); !done) return std::unexpected(done.error());
      ++out.delivered;
      continue;
    }
    const std::string error = mail_line(sent.error().what, kMaxErrorBytes);
    const auto kept =
        store.letter_failed(letter.id, clock.wall_ms() + retry_delay_ms(letter.attempts + 1), error);
    if (!kept) return std::unexpected(kept.error());
    out.problem = sent.error().hint.empty() ? error : error + "; " + sent.error().hint;
    if (deliverer.has_one_server()) break;
    failed.emplace(letter.address, sent.error());
  }
  return out;
}

}  // namespace weir
