#include "aggregator/report_command.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <tuple>

#include "aggregator/pages/query.h"
#include "aggregator/text_table.h"
#include "common/exit_codes.h"
#include "common/moment.h"
#include "common/text.h"

namespace weir {
namespace {

constexpr std::size_t kMaxRows = 1'000'000;
constexpr std::size_t kSitesInSummary = 20;

struct Total {
  WindowSum sum;
  std::array<std::uint64_t, 6> by_class{};  // index: status / 100
};

// Decimal units, as on the page.
std::string human_bytes(std::uint64_t value) {
  constexpr std::array kUnits = {"B", "kB", "MB", "GB", "TB", "PB"};
  auto amount = static_cast<double>(value);
  std::size_t unit = 0;
  for (; amount >= 1000 && unit + 1 < kUnits.size(); ++unit) amount /= 1000;
  return unit == 0 ? fmt::format("{} B", value) : fmt::format("{:.1f} {}", amount, kUnits[unit]);
}

// Names come from outside, and CSV is also read on terminals.
std::string csv_field(const std::string& name) {
  const auto value = visible(name);
  if (value.find_first_of(",\"\r\n") == std::string::npos) return value;
  std::string out = "\"";
  for (const char c : value) {
    if (c == '"') out.push_back('"');
    out.push_back(c);
  }
  return out + "\"";
}

std::string seconds_text(std::uint64_t ms) { return fmt::format("{}.{:03}", ms / 1000, ms % 1000); }

std::vector<std::string> dimension_values(const TrafficRow& row, const ReportOptions& options) {
  std::vector<std::string> out;
  if (options.step != "all") out.push_back(iso(row.start_s));
  for (const auto& by : options.by)
    out.push_back(by == "site" ? row.site : by == "host" ? row.host : fmt::format("{}", row.status));
  return out;
}

std::vector<std::string> dimension_names(const ReportOptions& options) {
  std::vector<std::string> out;
  if (options.step != "all") out.emplace_back("time");
  out.insert(out.end(), options.by.begin(), options.by.end());
  return out;
}

constexpr std::array kQuantiles = {0.5, 0.95, 0.99};
constexpr std::array kQuantileNames = {"p50_ms", "p95_ms", "p99_ms"};
constexpr std::array kMeasures = {
    "requests", "bytes_sent", "flow_bytes", "request_bytes", "request_time_seconds", "upstream_time_seconds",
    "p50_ms",   "p95_ms",     "p99_ms"};

// For people: whole milliseconds, "-" if the logs have no request times.
void add_quantiles(std::vector<std::string>& cells, const WindowSum& sum) {
  for (const double q : kQuantiles)
    cells.push_back(sum.latency.empty() ? "-" : fmt::format("{:.0f}", sum.latency.quantile_ms(q)));
}

std::vector<std::string> measure_values(const WindowSum& sum) {
  std::vector<std::string> out = {fmt::format("{}", sum.requests),   fmt::format("{}", sum.bytes_sent),
                                  fmt::format("{}", sum.flow_bytes), fmt::format("{}", sum.request_bytes),
                                  seconds_text(sum.request_time_ms), seconds_text(sum.upstream_time_ms)};
  // A log without request times has no latency. Showing 0 would look like an excellent one.
  for (const double q : kQuantiles)
    out.push_back(sum.latency.empty() ? "" : fmt::format("{:.1f}", sum.latency.quantile_ms(q)));
  return out;
}

void write_csv(const std::vector<TrafficRow>& rows, const ReportOptions& options, std::FILE* out) {
  auto names = dimension_names(options);
  names.insert(names.end(), kMeasures.begin(), kMeasures.end());
  fmt::print(out, "{}\n", fmt::join(names, ","));
  for (const auto& row : rows) {
    auto values = dimension_values(row, options);
    for (auto& value : values) value = csv_field(value);
    const auto measures = measure_values(row.sum);
    values.insert(values.end(), measures.begin(), measures.end());
    fmt::print(out, "{}\n", fmt::join(values, ","));
  }
}

void write_json(const std::vector<TrafficRow>& rows, const ReportOptions& options, std::FILE* out) {
  auto array = nlohmann::ordered_json::array();
  for (const auto& row : rows) {
    nlohmann::ordered_json object;
    const auto names = dimension_names(options);
    const auto values = dimension_values(row, options);
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (names[i] == "status") {
        object[names[i]] = row.status;
      } else {
        object[names[i]] = values[i];
      }
    }
    object["requests"] = row.sum.requests;
    object["bytes_sent"] = row.sum.bytes_sent;
    object["flow_bytes"] = row.sum.flow_bytes;
    object["request_bytes"] = row.sum.request_bytes;
    object["request_time_seconds"] = static_cast<double>(row.sum.request_time_ms) / 1000;
    object["upstream_time_seconds"] = static_cast<double>(row.sum.upstream_time_ms) / 1000;
    const auto& latency = row.sum.latency;
    for (std::size_t i = 0; i < kQuantiles.size(); ++i)
      object[kQuantileNames[i]] = latency.empty()
                                      ? nlohmann::ordered_json()
                                      : nlohmann::ordered_json(latency.quantile_ms(kQuantiles[i]));
    array.push_back(std::move(object));
  }
  fmt::print(out, "{}\n", array.dump(1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

void write_table(const std::vector<TrafficRow>& rows, const ReportOptions& options, std::FILE* out) {
  auto names = dimension_names(options);
  const auto dimensions = names.size();
  names.insert(names.end(), {"requests", "bytes", "p50 ms", "p95 ms", "p99 ms"});
  std::vector<std::vector<std::string>> table = {names};
  for (const auto& row : rows) {
    auto values = dimension_values(row, options);
    for (auto& value : values) value = visible(value);
    values.insert(values.end(), {grouped(row.sum.requests), human_bytes(row.sum.bytes_sent)});
    add_quantiles(values, row.sum);
    table.push_back(std::move(values));
  }
  fmt::print(out, "{}", aligned(table, dimensions));
}

// What the table leaves out, as a sentence; "" if nothing.
Result<std::string> unread_text(const Traffic& store) {
  const auto letters = store.dead_letters(1);
  if (!letters) return std::unexpected(letters.error());
  if (letters->total == 0 || letters->newest.empty()) return std::string();
  const auto& newest = letters->newest.front();
  constexpr std::size_t kShown = 60;
  auto sample = visible(newest.text.substr(0, kShown));
  if (newest.text.size() > kShown) sample += "...";
  return fmt::format("{} line{} could not be read; the newest ({}): {}\n", grouped(letters->total),
                     letters->total == 1 ? "" : "s", visible(newest.reason), sample);
}

// The window that steps must be a multiple of. As configured; else the longest window up to a minute that
// fits the first and the last window of the store.
Result<std::int64_t> window_of(const Traffic& store, const ReportOptions& options) {
  constexpr std::int64_t kMinute = 60;
  if (options.window_s > 0) return options.window_s;
  const auto span = store.traffic_span();
  if (!span) return std::unexpected(span.error());
  return *span ? std::gcd(std::gcd(kMinute, (*span)->first_s), (*span)->last_s) : kMinute;
}

Result<void> read_dimensions(const std::vector<std::string>& names, TrafficQuery& query) {
  for (const auto& name : names) {
    if (name == "site") {
      query.by_site = true;
    } else if (name == "host") {
      query.by_host = true;
    } else if (name == "status") {
      query.by_status = true;
    } else {
      return fail(Code::kInvalid, fmt::format("--by: \"{}\" is not a column", visible(name)),
                  "write site, host and status, separated by commas");
    }
  }
  return {};
}

Result<void> read_range(const ReportOptions& options, std::int64_t now_s, TrafficQuery& query) {
  for (const auto& [text, name, into] :
       {std::tuple{&options.from, "--from", &query.from_s}, std::tuple{&options.to, "--to", &query.to_s}}) {
    if (text->empty()) continue;
    const auto at = parse_moment_s(*text, now_s);
    if (!at) return fail(Code::kInvalid, fmt::format("{}: {}", name, at.error().what), at.error().hint);
    *into = *at;
  }
  return {};
}

// Builds the query from the options. kInvalid: an option is wrong.
Result<TrafficQuery> query_of(const Traffic& store, const ReportOptions& options, std::int64_t now_s) {
  TrafficQuery query;
  if (const auto done = read_dimensions(options.by, query); !done) return std::unexpected(done.error());
  if (const auto done = read_range(options, now_s, query); !done) return std::unexpected(done.error());
  if (options.format != "table" && options.format != "csv" && options.format != "json")
    return fail(Code::kInvalid, fmt::format("--format: \"{}\" is not a format", visible(options.format)),
                "write table, csv or json");
  if (!options.site.empty()) query.site = options.site;
  if (!options.host.empty()) query.host = options.host;
  const auto window_s = window_of(store, options);
  if (!window_s) return std::unexpected(window_s.error());
  const auto step_s = parse_step(options.step, *window_s);
  if (!step_s) return fail(Code::kInvalid, "--step: " + step_s.error().what, step_s.error().hint);
  query.step_s = *step_s;
  return query;
}

int exit_code_of(const Error& error) {
  print_error("weir-aggregator", error);
  return error.code == Code::kInvalid || error.code == Code::kFull ? kExitUsage : kExitStore;
}

}  // namespace

int report_traffic(const Traffic& store, const ReportOptions& options, std::int64_t now_s, std::FILE* out) {
  const auto query = query_of(store, options, now_s);
  if (!query) return exit_code_of(query.error());
  const auto rows = store.traffic(*query, kMaxRows);
  if (!rows) return exit_code_of(rows.error());
  if (options.format == "csv") {
    write_csv(*rows, options, out);
  } else if (options.format == "json") {
    write_json(*rows, options, out);
  } else {
    write_table(*rows, options, out);
  }
  return std::fflush(out) == 0 ? kExitOk : kExitFailed;
}

Result<std::string> summary_table(const Traffic& store) {
  TrafficQuery query;
  query.by_site = query.by_status = true;
  auto rows = store.traffic(query, kMaxRows);
  if (!rows) return std::unexpected(rows.error());
  const auto unread = unread_text(store);
  if (!unread) return std::unexpected(unread.error());
  if (rows->empty()) return "No requests yet.\n" + *unread;
  std::map<std::string, Total> sites;
  Total all;
  for (const auto& row : *rows) {
    for (auto* total : {&sites[row.site], &all}) {
      total->sum.merge(row.sum);
      total->by_class[std::min<std::size_t>(row.status / 100, 5)] += row.sum.requests;
    }
  }
  std::vector<std::pair<std::string, Total>> sorted(sites.begin(), sites.end());
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) {
    return a.second.sum.requests > b.second.sum.requests;
  });
  if (sorted.size() > kSitesInSummary) {
    Total rest;
    for (auto at = sorted.begin() + kSitesInSummary; at != sorted.end(); ++at) {
      rest.sum.merge(at->second.sum);
      for (std::size_t i = 0; i < rest.by_class.size(); ++i) rest.by_class[i] += at->second.by_class[i];
    }
    const auto count = sorted.size() - kSitesInSummary;
    sorted.resize(kSitesInSummary);
    sorted.emplace_back(fmt::format("({} more)", count), std::move(rest));
  }
  sorted.emplace_back("total", all);
  std::vector<std::vector<std::string>> table = {
      {"site", "requests", "bytes", "2xx", "3xx", "4xx", "5xx", "p50 ms", "p95 ms", "p99 ms"}};
  for (const auto& [site, total] : sorted) {
    std::vector<std::string> row = {visible(site), grouped(total.sum.requests),
                                    human_bytes(total.sum.bytes_sent)};
    for (std::size_t i = 2; i <= 5; ++i) row.push_back(grouped(total.by_class[i]));
    add_quantiles(row, total.sum);
    table.push_back(std::move(row));
  }
  const auto minute = [](std::int64_t start_s) { return iso(start_s - ((start_s % 60) + 60) % 60); };
  std::string span_text;
  if (auto span = store.traffic_span(); span && *span)
    span_text = fmt::format("{} to {}\n", minute((*span)->first_s), minute((*span)->last_s));
  return aligned(table, 1) + span_text + *unread;
}

}  // namespace weir
