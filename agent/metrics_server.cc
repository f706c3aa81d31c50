#include "agent/metrics_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "common/clock.h"
#include "common/exposition.h"
#include "common/http_server.h"
#include "common/json_text.h"
#include "common/listen.h"

namespace weir {
namespace {

std::vector<std::string> problems_of(const AgentStatus& status) {
  auto problems = status.problems;
  if (status.reload.refused()) problems.push_back(problem_of(status.reload));
  if (!status.output.blocked_because.empty())
    problems.insert(problems.begin(), "output: " + status.output.blocked_because);
  return problems;
}

std::uint64_t lag_bytes_of(const SourceStatus& source) {
  return source.size_bytes - std::min(source.size_bytes, source.acknowledged_offset);
}

void add_lags(Exposition& out, const std::vector<SourceStatus>& sources) {
  const auto now_ms = system_clock().wall_ms();
  out.family("file_lag_bytes", "gauge", "Bytes of a file that are not acknowledged.");
  for (const auto& source : sources)
    out.sample("file_lag_bytes", {{"path", source.path}, {"source", source.id.hex()}}, lag_bytes_of(source));
  out.family("file_lag_seconds", "gauge", "Time since the last acknowledgement of a file that has more.");
  for (const auto& source : sources) {
    const bool waits = lag_bytes_of(source) > 0 && source.last_acknowledged_ms > 0;
    const double age_s = waits ? static_cast<double>(now_ms - source.last_acknowledged_ms) / 1000 : 0.0;
    out.sample("file_lag_seconds", {{"path", source.path}, {"source", source.id.hex()}}, age_s);
  }
}

void add_routes(Exposition& out, const std::vector<RouteStatus>& routes) {
  out.family("route_lag_bytes", "gauge", "Bytes of files that a route has not acknowledged.");
  for (const auto& route : routes) out.sample("route_lag_bytes", {{"route", route.name}}, route.lag_bytes);
  out.family("route_wire_bytes_total", "counter", "Bytes of messages that a route handed to the output.");
  for (const auto& route : routes)
    out.sample("route_wire_bytes_total", {{"route", route.name}}, route.wire_bytes);
}

}  // namespace

std::string render_metrics(const AgentStatus& status) {
  Exposition out("weir_agent_");
  out.counter("lines_read_total", "Lines read from files.", status.read_lines);
  out.counter("bytes_read_total", "Bytes of content read from files.", status.read_bytes);
  out.counter("lines_shipped_total", "Lines acknowledged by the output.", status.shipped_lines);
  out.counter("bytes_shipped_total", "Bytes of content acknowledged by the output.", status.shipped_bytes);
  out.counter("batches_shipped_total", "Batches acknowledged by the output.", status.shipped_batches);
  out.counter("crowded_batches_total",
              "Batches of windows closed early because their lines are of many sites or windows.",
              status.crowded_batches);
  out.counter("wire_bytes_total", "Bytes of messages handed to the output.", status.wire_bytes);
  out.counter("lines_unparsed_total", "Lines that did not fit their format.", status.unparsed_lines);
  out.counter("lines_filtered_total", "Blank, comment and excluded lines.", status.filtered_lines);
  out.counter("lines_truncated_total", "Lines longer than max_line.", status.truncated_lines);
  out.counter("lost_bytes_total", "Bytes that will never be read: truncated, deleted or released unread.",
              status.lost_bytes);
  out.counter("unseen_truncations_total", "Files that were truncated while no agent was looking.",
              status.unseen_truncations);
  out.counter("reconnects_total", "Times the output was lost and came back.", status.output.reconnects);
  out.gauge("in_flight_bytes", "Content read and not yet acknowledged.", status.in_flight_bytes);
  out.gauge("backlog_bytes", "Bytes of rotated files that are not acknowledged.", status.backlog_bytes);
  out.gauge("output_connected", "1 when the output takes messages.", status.output.connected ? 1 : 0);
  out.gauge("sources", "Sources that are followed.", status.source_count);
  if (status.reload.loaded_at_ms > 0) add_reload_state(out, status.reload);
  add_routes(out, status.routes);
  add_lags(out, status.sources);
  return out.take();
}

std::string render_health(const AgentStatus& status) {
  const auto problems = problems_of(status);
  std::string out = fmt::format("{{\"status\":\"{}\",\"problems\":[", problems.empty() ? "ok" : "degraded");
  for (std::size_t i = 0; i < problems.size(); ++i) {
    if (i > 0) out += ',';
    append_json_string(out, problems[i]);
  }
  out += ']';
  if (status.reload.loaded_at_ms > 0) out += ",\"configuration\":" + reload_json(status.reload);
  return out + "}\n";
}

struct MetricsServer::Impl {
  httplib::Server server;
  std::string address;
  std::thread thread;
};

MetricsServer::MetricsServer() : impl_(std::make_unique<Impl>()) {}

MetricsServer::~MetricsServer() {
  impl_->server.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

std::string MetricsServer::address() const { return impl_->address; }

Result<std::unique_ptr<MetricsServer>> MetricsServer::start(const std::string& listen,
                                                            std::function<AgentStatus()> status) {
  auto address = parse_listen(listen);
  if (!address) return fail(Code::kInvalid, "metrics.listen: " + address.error().what, address.error().hint);
  std::unique_ptr<MetricsServer> server(new MetricsServer);
  auto& http = server->impl_->server;
  set_up_http(http, 2, 1024);
  http.Get("/metrics", [status](const httplib::Request&, httplib::Response& response) {
    response.set_content(render_metrics(status()), "text/plain; version=0.0.4");
  });
  http.Get("/health", [status](const httplib::Request&, httplib::Response& response) {
    const auto now = status();
    response.status = problems_of(now).empty() ? 200 : 503;
    response.set_content(render_health(now), "application/json");
  });
  const auto port = bind_http(http, *address);
  if (!port) {
    return fail(Code::kUnavailable, fmt::format("metrics.listen {}: {}", listen, port.error().what),
                "choose another address or port, or \"\" for no metrics");
  }
  address->port = *port;
  server->impl_->address = address->text();
  server->impl_->thread = std::thread([&http] { http.listen_after_bind(); });
  while (!http.is_running()) std::this_thread::yield();
  return server;
}

}  // namespace weir
