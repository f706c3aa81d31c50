#include "aggregator/warn/metric.h"

#include <fmt/format.h>

#include <cmath>

#include "proto/must.h"

namespace weir {
namespace {

constexpr int kLowestClass = 1;
constexpr int kHighestClass = 5;

double requests_per_second(const SubjectSum& sum, double seconds, int) {
  return static_cast<double>(sum.requests) / seconds;
}

double bytes_per_second(const SubjectSum& sum, double seconds, int) {
  return static_cast<double>(sum.flow_bytes) / seconds;
}

double status_share(const SubjectSum& sum, double, int status_class) {
  if (sum.requests == 0) return 0;
  return static_cast<double>(sum.by_class.at(static_cast<std::size_t>(status_class))) /
         static_cast<double>(sum.requests);
}

std::string scaled(double value, std::string_view unit) {
  static constexpr std::array<const char*, 6> kPrefixes = {"", "k", "M", "G", "T", "P"};
  std::size_t prefix = 0;
  while (std::abs(value) >= 1000 && prefix + 1 < kPrefixes.size()) {
    value /= 1000;
    ++prefix;
  }
  return fmt::format("{:.4g} {}{}", value, kPrefixes[prefix], unit);
}

std::string requests_text(double value) { return fmt::format("{:.6g} requests/s", value); }
std::string bytes_text(double value) {
  return scaled(value, "B/s") + " (" + scaled(value * 8, "bit/s") + ")";
}
std::string share_text(double value) { return fmt::format("{:.4g} %", value * 100); }

constexpr std::array kMetrics = {
    MetricRow{Metric::kRequestsPerSecond, "requests_per_second", "requests/s", false, "request rate",
              requests_per_second, requests_text},
    MetricRow{Metric::kBytesPerSecond, "bytes_per_second", "bytes/s", false, "bandwidth", bytes_per_second,
              bytes_text},
    MetricRow{Metric::kStatusShare, "status_share", "share", true, "share of {}", status_share, share_text},
};

}  // namespace

std::span<const MetricRow> metrics() { return kMetrics; }

const MetricRow& row_of(Metric metric) {
  const MetricRow& row = kMetrics.at(static_cast<std::size_t>(metric));
  MUST(row.metric == metric, "the rows of the metrics are in the order of the enumeration");
  return row;
}

std::optional<Metric> metric_named(std::string_view name) {
  for (const MetricRow& row : kMetrics) {
    if (row.name == name) return row.metric;
  }
  return std::nullopt;
}

std::vector<std::string> status_class_names() {
  std::vector<std::string> names;
  for (int digit = kHighestClass; digit >= kLowestClass; --digit) names.push_back(fmt::format("{}xx", digit));
  return names;
}

std::optional<int> status_class_named(std::string_view name) {
  for (int digit = kLowestClass; digit <= kHighestClass; ++digit) {
    if (name == fmt::format("{}xx", digit)) return digit;
  }
  return std::nullopt;
}

}  // namespace weir
