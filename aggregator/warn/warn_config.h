// What a rule watches, and where its alerts go. Keys: docs/reference/rules.md.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "aggregator/warn/metric.h"

namespace weir {

// Where letters go: a channel, and an address in the channel's form.
struct Destination {
  std::string channel;  // "mail"
  std::string address;  // "ops@example.org"
  friend bool operator==(const Destination&, const Destination&) = default;
};

struct RuleConfig {
  std::string name;
  Metric metric = Metric::kRequestsPerSecond;
  int status_class = 0;                       // 5 means 5xx; for shares only
  std::optional<double> above, below;         // firing level; exactly one of them is set
  std::optional<double> clear;                // clearing level; if unset, the firing level
  std::chrono::milliseconds for_duration{0};  // key `for`
  std::chrono::milliseconds range{60000};     // the value is computed over this much time
  std::string site;                           // "": the total; "*": each site separately; else that site
  std::string severity = "warning";
  double min_requests = 0;                         // a share is ignored below this many requests in the range
  std::optional<std::vector<Destination>> notify;  // unset: every destination of the configuration
};

[[nodiscard]] inline double firing_level(const RuleConfig& rule) {
  return rule.above ? *rule.above : rule.below.value_or(0);
}
[[nodiscard]] inline double clearing_level(const RuleConfig& rule) {
  return rule.clear.value_or(firing_level(rule));
}

}  // namespace weir
