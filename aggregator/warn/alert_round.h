// One evaluation of the rules over a store: reads windows, decides, and saves the changes together with their
// letters and events. No threads; the time is an argument.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/store/alerts.h"
#include "aggregator/store/traffic.h"
#include "aggregator/warn/channels.h"
#include "aggregator/warn/rules.h"

namespace weir {

struct AlertRoundConfig {
  std::vector<RuleConfig> rules;
  ChannelsConfig channels;  // none: alerts are only kept in the store and logged
  std::string page_url;     // the address that letters link to
};

// One row of the alert history for each alert that fired, cleared or is no longer watched.
[[nodiscard]] std::vector<AlertEvent> events_of(const Evaluation& evaluation, std::int64_t now_s);

class AlertRound {
 public:
  explicit AlertRound(std::int64_t window_s) : window_s_(window_s) {}
  // When it returns, every alert that fired or cleared is saved. Errors: those of the store; then nothing was
  // saved.
  [[nodiscard]] Result<Evaluation> run(const AlertRoundConfig& config, const Traffic& traffic, Alerts& alerts,
                                       std::int64_t now_ms);

 private:
  [[nodiscard]] Result<std::vector<RuleFacts>> gather(const std::vector<RuleConfig>& rules,
                                                      const Traffic& traffic, std::int64_t now_ms);
  [[nodiscard]] Result<bool> known_before(const Traffic& traffic, std::int64_t begin_s);

  std::int64_t window_s_;
  std::optional<std::int64_t> oldest_known_s_;
};

}  // namespace weir
