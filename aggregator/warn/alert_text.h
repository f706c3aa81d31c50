// An alert in words, for every channel, the journal and the alert history. Pure. The texts are one
// line, without control and deceiving characters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "aggregator/warn/channel.h"
#include "aggregator/warn/rules.h"

namespace weir {

// "request rate of site www.example.org is 12.5 requests/s, above 10 requests/s".
[[nodiscard]] std::string headline(const Notice& notice);
// One alert: its headline. Several: "1000 sites are above 10 requests/s".
[[nodiscard]] std::string group_text(const NoticeGroup& group);
// "alert flood (critical): firing: request rate of ...": a line for the journal.
[[nodiscard]] std::string describe(const Notice& notice);
// "site www.example.org", or "all sites".
[[nodiscard]] std::string subject_text(std::string_view subject);
[[nodiscard]] std::string value_text(const RuleConfig& rule, double value);  // "12.5 requests/s"
[[nodiscard]] std::string alert_time_text(std::int64_t time_s);              // "2026-11-23 12:05:00 UTC"
// The page, opened on the time of the alerts, and on the site when there is one. "" when the page has
// no address.
[[nodiscard]] std::string group_link(std::string_view page_url, const NoticeGroup& group);

}  // namespace weir
