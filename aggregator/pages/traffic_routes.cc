// Routes for sums of requests: in total, by time, by name.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>
#include <utility>

#include "aggregator/pages/routes.h"

namespace weir::routes_of_traffic {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxScanRows = 2'000'000;
constexpr std::array<std::string_view, 6> kClasses = {"other", "1xx", "2xx", "3xx", "4xx", "5xx"};

using Rows = std::vector<TrafficRow>;
using Names = std::vector<std::string>;

json latency_json(const Histogram& latency) {
  if (latency.empty()) return nullptr;
  return {{"count", latency.count()},
          {"p50_ms", latency.quantile_ms(0.50)},
          {"p95_ms", latency.quantile_ms(0.95)},
          {"p99_ms", latency.quantile_ms(0.99)}};
}

json sum_json(const WindowSum& sum) {
  return {{"requests", sum.requests},
          {"bytes_sent", sum.bytes_sent},
          {"flow_bytes", sum.flow_bytes},
          {"request_bytes", sum.request_bytes},
          {"request_time_ms", sum.request_time_ms},
          {"upstream_time_ms", sum.upstream_time_ms},
          {"latency", latency_json(sum.latency)}};
}

std::size_t class_of(std::uint16_t status) { return status >= 100 && status < 600 ? status / 100U : 0; }

struct ClassSums {
  WindowSum sum;
  std::array<std::uint64_t, kClasses.size()> requests{};
  void add(const TrafficRow& row) {
    sum.merge(row.sum);
    requests[class_of(row.status)] += row.sum.requests;
  }
  [[nodiscard]] json to_json() const {
    json out = sum_json(sum);
    json classes = json::object();
    for (std::size_t i = 0; i < kClasses.size(); ++i) classes[std::string(kClasses[i])] = requests[i];
    out["classes"] = std::move(classes);
    return out;
  }
};

// Windows are not split: the one that contains `from` belongs to the range.
void align(TrafficQuery& query, std::int64_t window_s) {
  if (!query.from_s) return;
  const std::int64_t rest = *query.from_s % window_s;
  *query.from_s -= rest < 0 ? rest + window_s : rest;
}

// Reads the part of the query's range that has data. An empty range has no rows, and the store is not asked.
Result<Rows> read_rows(ApiContext& context, TrafficQuery query, const std::optional<DataRange>& data) {
  if (!data) return Rows();
  query.from_s = std::max(query.from_s.value_or(data->first_s), data->first_s);
  query.to_s = std::min(query.to_s.value_or(data->end_s), data->end_s);
  if (*query.from_s >= *query.to_s) return Rows();
  return context.pool.with<Rows>([&](Store& store) { return store.traffic(query, kMaxScanRows); });
}

json time_or_null(const std::optional<std::int64_t>& time_s) {
  return time_s ? json(*time_s) : json(nullptr);
}

// What a chart of the range may say about times without a row. null: the store has no data at all.
Result<json> known_json(ApiContext& context, const TrafficQuery& query,
                        const std::optional<DataRange>& data) {
  if (!data) return json(nullptr);
  auto agents = context.pool.with<std::vector<AgentState>>([](Store& store) { return store.agents(); });
  if (!agents) return std::unexpected(agents.error());
  const std::int64_t now_ms = context.now_ms();
  const auto known = knowledge_of(*data, agents_of_host(std::move(*agents), query.host.value_or("")), now_ms,
                                  context.config.window_s);
  json out = {{"first_s", known.data.first_s},
              {"complete_s", known.complete_s},
              {"newest_s", known.newest_s},
              {"awaited_s", known.awaited_s}};
  if (query.step_s > 0) {
    const auto drawn = drawn_steps(known, query.from_s.value_or(data->first_s),
                                   query.to_s.value_or(data->end_s), query.step_s);
    out["draw_from_s"] = drawn.begin_s;
    out["draw_to_s"] = drawn.end_s;
    out["draw_whole"] = drawn.whole;
  }
  return out;
}

using Key = std::tuple<std::int64_t, std::string, std::string, std::size_t>;

// kFull: more groups than one answer may have.
Result<std::map<Key, WindowSum>> grouped(const Rows& rows, const TrafficRequest& request) {
  std::map<Key, WindowSum> sums;
  for (const TrafficRow& row : rows) {
    const std::size_t last = request.by_class          ? class_of(row.status)
                             : request.query.by_status ? row.status
                                                       : 0;
    sums[{row.start_s, row.site, row.host, last}].merge(row.sum);
    if (sums.size() > kMaxAnswerRows) {
      return fail(Code::kFull, fmt::format("the answer has more than {} rows", kMaxAnswerRows),
                  "ask for a longer step, fewer dimensions or a shorter range");
    }
  }
  return sums;
}

json rows_json(const std::map<Key, WindowSum>& sums, const TrafficRequest& request) {
  json list = json::array();
  for (const auto& [key, sum] : sums) {
    json row = sum_json(sum);
    row["start_s"] = std::get<0>(key);
    if (request.query.by_site) row["site"] = std::get<1>(key);
    if (request.query.by_host) row["host"] = std::get<2>(key);
    if (request.by_class) {
      row["class"] = kClasses[std::get<3>(key)];
    } else if (request.query.by_status) {
      row["status"] = std::get<3>(key);
    }
    list.push_back(std::move(row));
  }
  return list;
}

Answer names_answer(const char* member, const Result<Names>& names) {
  return names ? json_answer({{member, *names}}) : error_answer(names.error());
}

}  // namespace

Answer summary(ApiContext& context, const Params& params) {
  const std::int64_t now_s = context.now_s();
  auto request = parse_traffic(params, now_s, context.config.window_s, false);
  if (!request) return error_answer(request.error());
  TrafficQuery& query = request->query;
  align(query, context.config.window_s);
  query.by_site = true;
  query.by_status = true;
  const auto data = context.data_range();
  if (!data) return error_answer(data.error());
  const auto rows = read_rows(context, query, *data);
  if (!rows) return error_answer(rows.error());
  ClassSums total;
  std::map<std::string, ClassSums> sites;
  for (const TrafficRow& row : *rows) {
    total.add(row);
    sites[row.site].add(row);
  }
  json body = {{"now_s", now_s}, {"window_s", context.config.window_s}, {"total", total.to_json()}};
  body["from_s"] = time_or_null(query.from_s);
  body["to_s"] = time_or_null(query.to_s);
  body["data"] = nullptr;
  if (*data) body["data"] = {{"first_s", (*data)->first_s}, {"end_s", (*data)->end_s}};
  json list = json::array();
  for (const auto& [site, sums] : sites) {
    json row = sums.to_json();
    row["site"] = site;
    list.push_back(std::move(row));
  }
  body["sites"] = std::move(list);
  return json_answer(body);
}

Answer traffic(ApiContext& context, const Params& params) {
  const std::int64_t now_s = context.now_s();
  auto request = parse_traffic(params, now_s, context.config.window_s, true);
  if (!request) return error_answer(request.error());
  TrafficQuery& query = request->query;
  align(query, context.config.window_s);
  const auto data = context.data_range();
  if (!data) return error_answer(data.error());
  // Without data there are no rows, so the range of the data is the one that matters.
  std::int64_t from_s = query.from_s.value_or(now_s);
  std::int64_t to_s = query.to_s.value_or(now_s);
  if (*data) {
    from_s = std::max(query.from_s.value_or((*data)->first_s), (*data)->first_s);
    to_s = std::min(query.to_s.value_or((*data)->end_s), (*data)->end_s);
    // The steps of a chart of the last hour must not depend on how much of the hour has data.
    if (request->auto_step) {
      query.step_s =
          choose_step(query.from_s.value_or(from_s), query.to_s.value_or(to_s), context.config.window_s);
    }
  } else if (request->auto_step) {
    query.step_s = context.config.window_s;
  }
  if (const auto points = check_points(from_s, to_s, query.step_s); !points)
    return error_answer(points.error());
  const auto rows = read_rows(context, query, *data);
  if (!rows) return error_answer(rows.error());
  const auto sums = grouped(*rows, *request);
  if (!sums) return error_answer(sums.error());
  auto known = known_json(context, query, *data);
  if (!known) return error_answer(known.error());
  return json_answer({{"from_s", from_s},
                      {"to_s", to_s},
                      {"step_s", query.step_s},
                      {"known", std::move(*known)},
                      {"rows", rows_json(*sums, *request)}});
}

Answer sites(ApiContext& context, const Params&) {
  return names_answer("sites", context.pool.with<Names>([](Store& store) { return store.sites(); }));
}

Answer hosts(ApiContext& context, const Params&) {
  const auto names = context.pool.with<Names>([](Store& store) { return store.hosts(); });
  if (!names) return error_answer(names.error());
  // A new host appears with its agent's first heartbeat.
  const auto agents = context.pool.with<std::vector<AgentState>>([](Store& store) { return store.agents(); });
  if (!agents) return error_answer(agents.error());
  std::set<std::string> hosts(names->begin(), names->end());
  for (const AgentState& agent : *agents) hosts.insert(agent.host);
  return json_answer({{"hosts", hosts}});
}

}  // namespace weir::routes_of_traffic
