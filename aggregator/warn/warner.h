// The thread that evaluates the rules over the store's windows and delivers the outbox.
// The store is all it reads; the state of alerts lives there, so a failover neither
// forgets nor repeats.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "aggregator/store/store.h"
#include "aggregator/warn/warn_config.h"

namespace weir {

struct WarnerConfig {
  std::vector<RuleConfig> rules;
  std::optional<MailConfig> mail;  // none: alerts are kept in the store and logged
  std::string page_url;            // linked in mails
  std::chrono::seconds window{60};
  std::chrono::milliseconds interval{5000};  // between evaluations
  // This thread also forgets the logs that were not heard of for so long. 0: none.
  std::chrono::milliseconds forget_after{0};
};

struct WarnerStatus {
  std::size_t firing = 0;
  std::uint64_t mails_waiting = 0;
  std::uint64_t mails_delivered = 0;  // by this process
  std::string problem;                // "" when healthy: "mail server smtp://...: refused; ..."
};

class Warner {
 public:
  // Starts the thread.
  Warner(WarnerConfig config, OpenStore open_store);
  ~Warner();  // stops and joins; a delivery under way is finished or left claimed in the outbox
  Warner(const Warner&) = delete;
  Warner& operator=(const Warner&) = delete;
  [[nodiscard]] WarnerStatus status() const;  // any thread

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
