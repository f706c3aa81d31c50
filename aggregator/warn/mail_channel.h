// The channel "mail". A letter's address is a recipient; its payload is the subject, a newline and the body.
// Keys: docs/reference/rules.md, [mail].
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/warn/channel.h"
#include "common/config_table.h"

namespace weir {

struct MailConfig {
  std::string server{};  // "smtp://host:587" or "smtps://host:465"
  std::string from{};
  std::vector<std::string> to{};
  std::string user{}, password{};
  std::string tls = "opportunistic";  // "required", "opportunistic", "none"
  std::string tls_ca{};
};

[[nodiscard]] std::optional<MailConfig> read_mail(ConfigTable& root);
// "ops@example.org", "weir <weir@example.org>".
[[nodiscard]] bool is_mail_address(std::string_view text);
[[nodiscard]] std::string compose_mail(const NoticeGroup& group, std::string_view page_url);
// The message in the form SMTP takes. It is the same at each attempt, so that a mail accepted twice can be
// recognised by its Message-ID.
[[nodiscard]] std::string mail_message(std::string_view from, const Letter& letter);
// Sends over SMTP with libcurl. `stop` aborts a delivery as long as no byte of the message was sent.
[[nodiscard]] std::unique_ptr<Deliverer> open_mail(MailConfig config, const std::atomic<bool>& stop);

}  // namespace weir
