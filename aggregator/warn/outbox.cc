#include "aggregator/warn/outbox.h"

#include <algorithm>

#include "aggregator/warn/mail_text.h"

namespace weir {
namespace {

// Longer than a delivery may take: what is claimed is sent by nobody else meanwhile.
constexpr std::int64_t kLeaseMs = 120'000;
constexpr std::size_t kMailsPerRound = 50;

}  // namespace

std::int64_t retry_delay_ms(std::uint32_t failed_attempts) {
  constexpr std::int64_t kFirstMs = 5'000;
  constexpr std::int64_t kLongestMs = 600'000;
  const std::uint32_t doublings = std::min<std::uint32_t>(failed_attempts > 0 ? failed_attempts - 1 : 0, 7);
  return std::min(kFirstMs << doublings, kLongestMs);
}

Result<OutboxResult> deliver_due(Alerts& store, Mailer& mailer, const std::function<std::int64_t()>& now_ms,
                                 const std::function<bool()>& stop) {
  OutboxResult out;
  for (std::size_t i = 0; i < kMailsPerRound && !stop(); ++i) {
    const auto claimed = store.claim_letters(kMailChannel, now_ms(), kLeaseMs, 1);
    if (!claimed) return std::unexpected(claimed.error());
    if (claimed->empty()) break;
    const Letter& mail = claimed->front();
    if (const auto sent = mailer.deliver(mail); !sent) {
      const std::string error = clean_for_mail(sent.error().what, 500);
      if (const auto kept = store.letter_failed(mail.id, now_ms() + retry_delay_ms(mail.attempts + 1), error);
          !kept) {
        return std::unexpected(kept.error());
      }
      out.problem = error + "; " + sent.error().hint;
      break;
    }
    if (const auto done = store.letter_delivered(mail.id); !done) return std::unexpected(done.error());
    ++out.delivered;
  }
  return out;
}

}  // namespace weir
