// What a mail says, and how it looks on the wire. Pure: notices in, text out.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/store/alerts.h"
#include "aggregator/warn/rules.h"
#include "proto/result.h"

namespace weir {

// Text that came from a log or a stranger, fit for a person's eyes: valid UTF-8 without
// control characters, line breaks and direction overrides; at most `max_bytes`.
[[nodiscard]] std::string clean_for_mail(std::string_view text, std::size_t max_bytes = 300);

// The value of a rule's metric with its unit: "1.25 Mbit/s", "12.5 %", "41.7 requests/s".
[[nodiscard]] std::string format_value(std::string_view metric, double value);
[[nodiscard]] std::string format_utc(std::int64_t time_s);  // "2026-11-23 12:05:00 UTC"

// One mail for each notice and recipient; more than kGroupAbove notices of one rule at once
// share a mail, so that ten thousand sites do not make ten thousand mails.
inline constexpr std::size_t kGroupAbove = 10;
[[nodiscard]] std::vector<Letter> write_mails(const std::vector<Notice>& notices,
                                              const std::vector<std::string>& recipients,
                                              std::string_view page_url, std::int64_t now_ms);
// The channel of mails in the outbox, and what their payload holds.
inline constexpr std::string_view kMailChannel = "mail";
struct MailText {
  std::string subject;  // one line
  std::string body;
};
[[nodiscard]] std::string mail_payload(const MailText& text);
[[nodiscard]] MailText mail_text_of(std::string_view payload);
// One line for the program's log.
[[nodiscard]] std::string describe(const Notice& notice);

// "Weir <weir@example.org>" -> "weir@example.org". kInvalid: no address in it.
[[nodiscard]] Result<std::string> bare_address(std::string_view mailbox);
// The message as SMTP's DATA takes it (CRLF; no dot-stuffing). The same for every attempt,
// so that a mail that was accepted twice can be recognised by its Message-ID.
[[nodiscard]] std::string compose_message(std::string_view from, const Letter& mail);

}  // namespace weir
