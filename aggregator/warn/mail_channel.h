// The channel "mail". The address of a letter is a recipient; its payload is the subject, a newline
// and the body. Keys: docs/reference/rules.md, [mail].
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
// The message as SMTP takes it. The same at each attempt, so that a mail that was accepted twice can be
// recognised by its Message-ID.
[[nodiscard]] std::string mail_message(std::string_view from, const Letter& letter);
// SMTP by libcurl. `stop` ends a delivery of which no byte of the message was sent yet.
[[nodiscard]] std::unique_ptr<Deliverer> open_mail(MailConfig config, const std::atomic<bool>& stop);

}  // namespace weir
