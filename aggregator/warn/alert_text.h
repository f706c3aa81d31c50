// Describes alerts in words for the channels, the journal and the alert history. Pure. Each text is one line,
// without control characters or deceptive ones.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "aggregator/warn/channel.h"
#include "aggregator/warn/rules.h"

namespace weir {

// "request rate of site www.example.org is 12.5 requests/s, above 10 requests/s".
[[nodiscard]] std::string headline(const Notice& notice);
// For one alert its headline, for several "1000 sites are above 10 requests/s".
[[nodiscard]] std::string group_text(const NoticeGroup& group);
// A line for the journal: "alert flood (critical): firing: request rate of ...".
[[nodiscard]] std::string describe(const Notice& notice);
// "site www.example.org", or "all sites".
[[nodiscard]] std::string subject_text(std::string_view subject);
[[nodiscard]] std::string value_text(const RuleConfig& rule, double value);  // "12.5 requests/s"
[[nodiscard]] std::string alert_time_text(std::int64_t time_s);              // "2026-11-23 12:05:00 UTC"
// A link to the page at the time of the alerts, and for a single alert at its site. "" if the page has no
// address.
[[nodiscard]] std::string group_link(std::string_view page_url, const NoticeGroup& group);

}  // namespace weir
