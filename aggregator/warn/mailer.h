// Delivers one mail. SMTP by libcurl, which no other file includes.
#pragma once

#include <atomic>
#include <memory>

#include "aggregator/store/alerts.h"
#include "aggregator/warn/warn_config.h"
#include "proto/result.h"

namespace weir {

class Mailer {
 public:
  virtual ~Mailer() = default;
  // Success: the server took the mail. kUnavailable: try again later.
  [[nodiscard]] virtual Result<void> deliver(const Letter& mail) = 0;
};

// `stop` may end a delivery of which no byte of the message was sent yet.
[[nodiscard]] std::unique_ptr<Mailer> make_smtp_mailer(MailConfig config, const std::atomic<bool>& stop);

}  // namespace weir
