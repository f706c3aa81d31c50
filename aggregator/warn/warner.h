// The thread that evaluates the rules over the store's windows and delivers the outbox. It reads only the
// store. The state of alerts is kept there, so a fail-over neither forgets nor repeats an alert.
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
  // This thread also forgets logs that no agent has named for this long. 0: never.
  std::chrono::milliseconds forget_after{0};
  const Clock* clock = &system_clock();
  Say say;  // alerts and problems, for the journal
};

struct WarnerStatus {
  std::size_t firing = 0;
  std::map<std::string, std::uint64_t> waiting;    // letters in the outbox, by channel
  std::map<std::string, std::uint64_t> delivered;  // by this process, by channel
  std::string problem;                             // "" when healthy, else "mail server smtp://...: refused;
                                                   // ..."
};

class Warner {
 public:
  // Starts the thread.
  Warner(WarnerConfig config, OpenStore open_store);
  ~Warner();  // stops and joins; a delivery in progress is finished, or stays claimed in the outbox
  Warner(const Warner&) = delete;
  Warner& operator=(const Warner&) = delete;
  // Thread: any. From the next evaluation on, the new rules, channels, page_url and forget_after apply, all
  // at once. The rest of the configuration does not change. Alerts keep their state.
  void reload(WarnerConfig config);
  [[nodiscard]] WarnerStatus status() const;  // any thread

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
