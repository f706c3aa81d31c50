#include "aggregator/warn/alert_text.h"

#include <fmt/format.h>

#include <algorithm>

#include "aggregator/warn/mime.h"
#include "aggregator/warn/page_link.h"
#include "common/moment.h"

namespace weir {
namespace {

constexpr std::size_t kMaxShownSiteBytes = 253;
// A link shows at least this much time, so that the chart includes what preceded the alert.
constexpr std::int64_t kLinkedSeconds = 3600;

std::string metric_title(const RuleConfig& rule) {
  const MetricRow& row = row_of(rule.metric);
  return fmt::format(fmt::runtime(row.title), fmt::format("{}xx", rule.status_class));
}

}  // namespace

std::string value_text(const RuleConfig& rule, double value) { return row_of(rule.metric).text(value); }

std::string subject_text(std::string_view subject) {
  return subject.empty() ? "all sites" : "site " + mail_line(subject, kMaxShownSiteBytes);
}

std::string headline(const Notice& notice) {
  const RuleConfig& rule = notice.rule;
  const std::string subject = fmt::format("{} of {}", metric_title(rule), subject_text(notice.subject));
  if (!notice.firing) return fmt::format("{} is back to {}", subject, value_text(rule, notice.value));
  return fmt::format("{} is {}, {} {}", subject, value_text(rule, notice.value),
                     rule.above ? "above" : "below", value_text(rule, firing_level(rule)));
}

std::string group_text(const NoticeGroup& group) {
  const Notice& first = *group.front();
  if (group.size() == 1) return headline(first);
  if (!first.firing) return fmt::format("{} sites are back to normal", group.size());
  return fmt::format("{} sites are {} {}", group.size(), first.rule.above ? "above" : "below",
                     value_text(first.rule, firing_level(first.rule)));
}

std::string describe(const Notice& notice) {
  return fmt::format("alert {} ({}): {}: {}", mail_line(notice.rule.name), mail_line(notice.rule.severity),
                     notice.firing ? "firing" : "cleared", headline(notice));
}

std::string alert_time_text(std::int64_t time_s) {
  std::string text = iso_text_s(time_s);
  if (!text.ends_with('Z')) return text;
  text.pop_back();
  std::replace(text.begin(), text.end(), 'T', ' ');
  return text + " UTC";
}

std::string group_link(std::string_view page_url, const NoticeGroup& group) {
  if (page_url.empty()) return {};
  const Notice& notice = *group.front();
  PageView view;
  view.from_s = std::min(notice.range.begin_s, notice.range.end_s - kLinkedSeconds);
  view.to_s = notice.range.end_s;
  if (group.size() == 1) view.site = notice.subject;
  return page_link(page_url, view);
}

}  // namespace weir
