// What a rule can watch, one row per metric. The configuration, the evaluation, the texts of mails and
// webhooks, and the reference are all made from this table. Pure.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir {

// Enumerators are indices into metrics().
enum class Metric : std::uint8_t { kRequestsPerSecond, kBytesPerSecond, kStatusShare };

// The input of a metric: the sums of one site, or of all sites, over a time range.
struct SubjectSum {
  std::uint64_t requests = 0;
  std::uint64_t flow_bytes = 0;
  std::array<std::uint64_t, 6> by_class{};  // [0]: not logged or not an HTTP status; [5]: 5xx
};

struct MetricRow {
  Metric metric;
  std::string_view name;  // the value of the rule's key `metric`
  std::string_view unit;  // for the bare number in a webhook's JSON
  // A share is between 0 and 1 and belongs to a status class. It is undefined without requests.
  bool is_share;
  std::string_view title;  // as used in sentences; "{}" is the status class
  double (*measure)(const SubjectSum& sum, double seconds, int status_class);
  std::string (*text)(double value);  // the value with its unit: "12.5 requests/s"
};

[[nodiscard]] std::span<const MetricRow> metrics();
[[nodiscard]] const MetricRow& row_of(Metric metric);
[[nodiscard]] std::optional<Metric> metric_named(std::string_view name);

// The names that the configuration accepts; "5xx" is 5.
[[nodiscard]] std::vector<std::string> status_class_names();
[[nodiscard]] std::optional<int> status_class_named(std::string_view name);

}  // namespace weir
