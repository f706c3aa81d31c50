// The thread that evaluates the rules over the store's windows and delivers the outbox. It reads
// nothing but the store. The state of alerts lives there, so a failover neither forgets nor repeats.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "aggregator/store/store.h"
#include "aggregator/warn/alert_round.h"
#include "common/clock.h"
#include "common/log_level.h"

namespace weir {

struct WarnerConfig : AlertRoundConfig {
  std::chrono::seconds window{60};
  std::chrono::milliseconds interval{5000};  // between evaluations
  // This thread also forgets logs that no agent has named for so long. 0: never.
  std::chrono::milliseconds forget_after{0};
  const Clock* clock = &system_clock();
  Say say;  // alerts and problems, for the journal
};

struct WarnerStatus {
  std::size_t firing = 0;
  std::map<std::string, std::uint64_t> waiting;    // letters in the outbox, by channel
  std::map<std::string, std::uint64_t> delivered;  // by this process, by channel
  std::string problem;                             // "" when healthy: "mail server smtp://...: refused; ..."
};

class Warner {
 public:
  // Starts the thread.
  Warner(WarnerConfig config, OpenStore open_store);
  ~Warner();  // stops and joins; a delivery under way is finished or left claimed in the outbox
  Warner(const Warner&) = delete;
  Warner& operator=(const Warner&) = delete;
  // Thread: any. Rules, channels, page_url and forget_after are used from the next evaluation on, all
  // together; the rest of the configuration stays. Alerts keep their state.
  void reload(WarnerConfig config);
  [[nodiscard]] WarnerStatus status() const;  // any thread

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
