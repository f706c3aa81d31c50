#include "aggregator/pages/api.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <tuple>
#include <utility>

#include "aggregator/pages/metrics.h"
#include "aggregator/warn/leadership.h"
#include "aggregator/warn/rules.h"

namespace weir {
namespace {

using nlohmann::json;

constexpr std::int64_t kRememberMs = 10'000;
constexpr std::size_t kMaxSources = 10'000;
constexpr std::size_t kMaxGapsShown = 100;
constexpr std::size_t kMaxDeadLettersShown = 200;
constexpr std::size_t kMaxScanRows = 2'000'000;
constexpr std::int64_t kDay = 86400;

Answer ok(const json& body) {
  // Names and paths come from logs: any byte may be in them.
  return {200, "application/json", body.dump(-1, ' ', false, json::error_handler_t::replace)};
}

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

constexpr std::array<std::string_view, 6> kClasses = {"other", "1xx", "2xx", "3xx", "4xx", "5xx"};

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

std::int64_t floor_to(std::int64_t value, std::int64_t unit) {
  const std::int64_t rest = value % unit;
  return value - (rest < 0 ? rest + unit : rest);
}

// Windows are whole: the one that holds `from` belongs to the range.
void align(TrafficQuery& query, std::int64_t window_s) {
  if (query.from_s) query.from_s = floor_to(*query.from_s, window_s);
}

json time_json(std::int64_t time_ms) {
  return time_ms <= 0 ? json(nullptr) : json(time_ms);  // never, or not known
}

}  // namespace

Answer error_answer(int status, std::string_view what, std::string_view hint) {
  const json body = {{"error", {{"what", what}, {"hint", hint}}}};
  return {status, "application/json", body.dump(-1, ' ', false, json::error_handler_t::replace)};
}

Answer error_answer(const Error& error) {
  const bool mine = error.code == Code::kInvalid || error.code == Code::kFull;
  return error_answer(mine ? 400 : error.code == Code::kNotFound ? 404 : 503, error.what, error.hint);
}

Api::Api(PagesConfig config, OpenStore open_store, std::function<EngineStatus()> engine,
         std::function<WarnerStatus()> warner, std::function<std::int64_t()> now_ms)
    : config_(std::move(config)),
      engine_(std::move(engine)),
      warner_(std::move(warner)),
      now_ms_(std::move(now_ms)),
      pool_(std::move(open_store)),
      watch_(pool_, now_ms_()) {}

Answer Api::get(std::string_view path, const Params& params) {
  if (path == "/api/v1/summary") return summary(params);
  if (path == "/api/v1/traffic") return traffic(params);
  if (path == "/api/v1/sites") return names(params, true);
  if (path == "/api/v1/hosts") return names(params, false);
  if (path == "/api/v1/sources") return sources(params);
  if (path == "/api/v1/agents") return agents(params);
  if (path == "/api/v1/alerts") return alerts(params);
  if (path == "/api/v1/dead-letters") return dead_letters(params);
  if (path == "/health") return health();
  if (path == "/metrics") return metrics();
  return error_answer(404, "there is no such page",
                      "the page is at /, its API is described in docs/reference/api.md");
}

Result<std::optional<Api::Extent>> Api::extent() {
  using Found = std::optional<Extent>;
  {
    const std::lock_guard lock(mutex_);
    if (extent_ && now_ms_() - extent_at_ms_ < kRememberMs) return extent_;
  }
  const auto found = pool_.with<Found>([&](Store& store) -> Result<Found> {
    TrafficQuery days;
    days.step_s = kDay;
    const auto all = store.traffic(days, kMaxScanRows);
    if (!all) return std::unexpected(all.error());
    if (all->empty()) return Found();
    const auto within = [&](std::int64_t day) {
      TrafficQuery query;
      query.from_s = day;
      query.to_s = day + kDay;
      query.step_s = config_.window_s;
      return store.traffic(query, kMaxScanRows);
    };
    const auto first = within(all->front().start_s);
    if (!first) return std::unexpected(first.error());
    const auto last = within(all->back().start_s);
    if (!last) return std::unexpected(last.error());
    Extent out{all->front().start_s, all->back().start_s + kDay};
    if (!first->empty()) out.first_s = first->front().start_s;
    if (!last->empty()) out.end_s = last->back().start_s + config_.window_s;
    return Found(out);
  });
  if (found && *found) {
    const std::lock_guard lock(mutex_);
    extent_ = *found;
    extent_at_ms_ = now_ms_();
  }
  return found;
}

Answer Api::summary(const Params& params) {
  const std::int64_t now_s = now_ms_() / 1000;
  auto request = parse_traffic(params, now_s, config_.window_s, false);
  if (!request) return error_answer(request.error());
  align(request->query, config_.window_s);
  request->query.by_site = true;
  request->query.by_status = true;
  const auto rows = pool_.with<std::vector<TrafficRow>>(
      [&](Store& store) { return store.traffic(request->query, kMaxScanRows); });
  if (!rows) return error_answer(rows.error());
  const auto data = extent();
  if (!data) return error_answer(data.error());
  ClassSums total;
  std::map<std::string, ClassSums> sites;
  for (const TrafficRow& row : *rows) {
    total.add(row);
    sites[row.site].add(row);
  }
  json body = {{"now_s", now_s}, {"window_s", config_.window_s}, {"total", total.to_json()}};
  body["from_s"] = request->query.from_s ? json(*request->query.from_s) : json(nullptr);
  body["to_s"] = request->query.to_s ? json(*request->query.to_s) : json(nullptr);
  body["data"] = nullptr;
  if (*data) body["data"] = {{"first_s", (*data)->first_s}, {"end_s", (*data)->end_s}};
  json list = json::array();
  for (const auto& [site, sums] : sites) {
    json row = sums.to_json();
    row["site"] = site;
    list.push_back(std::move(row));
  }
  body["sites"] = std::move(list);
  return ok(body);
}

Answer Api::traffic(const Params& params) {
  const std::int64_t now_s = now_ms_() / 1000;
  auto request = parse_traffic(params, now_s, config_.window_s, true);
  if (!request) return error_answer(request.error());
  TrafficQuery& query = request->query;
  align(query, config_.window_s);
  const auto data = extent();
  if (!data) return error_answer(data.error());
  // Where there is no data there are no rows: the range that matters is that of the data.
  std::int64_t from_s = query.from_s.value_or(now_s);
  std::int64_t to_s = query.to_s.value_or(now_s);
  if (*data) {
    from_s = std::max(query.from_s.value_or((*data)->first_s), (*data)->first_s);
    to_s = std::min(query.to_s.value_or((*data)->end_s), (*data)->end_s);
    // The steps of a chart of the last hour must not depend on how much of it has data.
    if (request->auto_step) {
      query.step_s = choose_step(query.from_s.value_or(from_s), query.to_s.value_or(to_s), config_.window_s);
    }
  } else if (request->auto_step) {
    query.step_s = config_.window_s;
  }
  if (const auto points = check_points(from_s, to_s, query.step_s); !points)
    return error_answer(points.error());
  const auto rows =
      pool_.with<std::vector<TrafficRow>>([&](Store& store) { return store.traffic(query, kMaxScanRows); });
  if (!rows) return error_answer(rows.error());
  using Key = std::tuple<std::int64_t, std::string, std::string, std::size_t>;
  std::map<Key, WindowSum> sums;
  for (const TrafficRow& row : *rows) {
    const std::size_t last = request->by_class ? class_of(row.status) : query.by_status ? row.status : 0;
    sums[{row.start_s, row.site, row.host, last}].merge(row.sum);
    if (sums.size() > kMaxRows) {
      return error_answer(400, fmt::format("the answer has more than {} rows", kMaxRows),
                          "ask for a longer step, fewer dimensions or a shorter range");
    }
  }
  json list = json::array();
  for (const auto& [key, sum] : sums) {
    json row = sum_json(sum);
    row["start_s"] = std::get<0>(key);
    if (query.by_site) row["site"] = std::get<1>(key);
    if (query.by_host) row["host"] = std::get<2>(key);
    if (request->by_class) {
      row["class"] = kClasses[std::get<3>(key)];
    } else if (query.by_status) {
      row["status"] = std::get<3>(key);
    }
    list.push_back(std::move(row));
  }
  return ok({{"from_s", from_s}, {"to_s", to_s}, {"step_s", query.step_s}, {"rows", std::move(list)}});
}

Answer Api::names(const Params& params, bool sites) {
  if (const auto none = refuse_params(params); !none) return error_answer(none.error());
  const auto list = pool_.with<std::vector<std::string>>(
      [&](Store& store) { return sites ? store.sites() : store.hosts(); });
  if (!list) return error_answer(list.error());
  return ok({{sites ? "sites" : "hosts", *list}});
}

Answer Api::sources(const Params& params) {
  if (const auto none = refuse_params(params); !none) return error_answer(none.error());
  const auto all =
      pool_.with<std::vector<SourceState>>([](Store& store) { return store.all_sources(kMaxSources); });
  if (!all) return error_answer(all.error());
  std::uint64_t gap_total = 0;
  json list = json::array();
  for (const SourceState& source : *all) {
    json gaps = json::array();
    for (const Gap& gap : source.coverage.gaps()) {
      if (gaps.size() == kMaxGapsShown) break;
      gaps.push_back({{"begin", gap.begin},
                      {"end", gap.end},
                      {"cause", to_string(gap.cause)},
                      {"since_ms", time_json(gap.since_ms)}});
    }
    gap_total += source.coverage.gap_bytes();
    list.push_back({{"id", source.id.hex()},
                    {"agent_id", source.agent_id},
                    {"host", source.host},
                    {"input", source.input},
                    {"path", source.path},
                    {"origin", source.coverage.origin()},
                    {"high_water", source.coverage.high_water()},
                    {"gaps", std::move(gaps)},
                    {"gap_count", source.coverage.gaps().size()},
                    {"gap_bytes", source.coverage.gap_bytes()},
                    {"lines", source.lines},
                    {"unparsed", source.unparsed},
                    {"too_long", source.too_long},
                    {"filtered", source.filtered},
                    {"first_seen_ms", time_json(source.first_seen_ms)},
                    {"last_seen_ms", time_json(source.last_seen_ms)}});
  }
  return ok({{"gap_bytes", gap_total}, {"sources", std::move(list)}});
}

Answer Api::agents(const Params& params) {
  if (const auto none = refuse_params(params); !none) return error_answer(none.error());
  const auto all = pool_.with<std::vector<AgentState>>([](Store& store) { return store.agents(); });
  if (!all) return error_answer(all.error());
  const std::int64_t now_ms = now_ms_();
  const std::int64_t until_s = floor_to(now_ms / 1000, config_.window_s) - config_.window_s;
  std::size_t known = 0;
  std::size_t past = 0;
  json list = json::array();
  for (const AgentState& agent : *all) {
    // One that is gone for a day was taken out of service; before that it is missing.
    if (now_ms - agent.last_heartbeat_ms <= kDay * 1000) {
      ++known;
      if (agent.watermark_ms >= until_s * 1000) ++past;
    }
    list.push_back({{"agent_id", agent.agent_id},
                    {"host", agent.host},
                    {"instance", fmt::format("{:016x}", agent.instance)},
                    {"last_heartbeat_ms", time_json(agent.last_heartbeat_ms)},
                    {"watermark_ms", time_json(agent.watermark_ms)},
                    {"lag_bytes", agent.lag_bytes},
                    {"silent", now_ms - agent.last_heartbeat_ms > kAgentSilentAfterMs}});
  }
  return ok({{"now_ms", now_ms},
             {"until_s", until_s},
             {"known", known},
             {"past", past},
             {"agents", std::move(list)}});
}

Answer Api::alerts(const Params& params) {
  if (const auto none = refuse_params(params); !none) return error_answer(none.error());
  const auto states = pool_.with<std::vector<AlertState>>([](Store& store) { return store.alerts(); });
  if (!states) return error_answer(states.error());
  std::size_t firing = 0;
  json list = json::array();
  for (const AlertState& state : *states) {
    if (is_lease(state)) continue;
    if (state.state == "firing") ++firing;
    list.push_back({{"rule", state.rule},
                    {"subject", state.subject},
                    {"state", state.state},
                    {"since_s", state.since_s},
                    {"value", state.value}});
  }
  const WarnerStatus warner = warner_();
  return ok({{"firing", firing},
             {"alerts", std::move(list)},
             {"mails_waiting", warner.mails_waiting},
             {"mails_delivered", warner.mails_delivered},
             {"problem", warner.problem}});
}

Answer Api::dead_letters(const Params& params) {
  if (const auto none = refuse_params(params); !none) return error_answer(none.error());
  const auto letters =
      pool_.with<Store::DeadLetters>([](Store& store) { return store.dead_letters(kMaxDeadLettersShown); });
  if (!letters) return error_answer(letters.error());
  json list = json::array();
  for (const DeadLetter& letter : letters->newest) {
    list.push_back({{"topic", letter.partition.topic},
                    {"partition", letter.partition.partition},
                    {"offset", letter.offset},
                    {"line", letter.line},
                    {"source", letter.source},
                    {"reason", letter.reason},
                    {"text", letter.text},
                    {"seen_ms", time_json(letter.seen_ms)}});
  }
  return ok({{"total", letters->total}, {"newest", std::move(list)}});
}

Answer Api::health() {
  json problems = json::array();
  for (const std::string& problem : {engine_().problem, warner_().problem}) {
    if (!problem.empty()) problems.push_back(problem);
  }
  if (auto view = watch_.view(now_ms_()); !view.problem.empty()) problems.push_back(std::move(view.problem));
  const bool healthy = problems.empty();
  Answer answer = ok({{"status", healthy ? "ok" : "degraded"}, {"problems", std::move(problems)}});
  answer.status = healthy ? 200 : 503;
  return answer;
}

Answer Api::metrics() {
  return {200, "text/plain; version=0.0.4; charset=utf-8",
          render_metrics(engine_(), warner_(), watch_.view(now_ms_()).gap_bytes, now_ms_())};
}

}  // namespace weir
