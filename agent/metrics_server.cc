#include "agent/metrics_server.h"

#include <fmt/format.h>
#include <httplib.h>

#include <chrono>
#include <thread>

namespace weir {
namespace {

std::string label(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == '\\' || c == '"') out.push_back('\\');
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      out += fmt::format("\\\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      out.push_back(c);
    }
  }
  return out;
}

std::string json_text(std::string_view value) {
  std::string out = "\"";
  for (const char c : value) {
    if (c == '\\' || c == '"') out.push_back('\\');
    if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned char>(c));
    } else {
      out.push_back(c);
    }
  }
  return out + "\"";
}

void metric(std::string& out, std::string_view name, std::string_view type, std::string_view help,
            double value) {
  out += fmt::format("# HELP {0} {1}\n# TYPE {0} {2}\n{0} {3}\n", name, help, type, value);
}

void counter(std::string& out, std::string_view name, std::string_view help, std::uint64_t value) {
  out += fmt::format("# HELP {0} {1}\n# TYPE {0} counter\n{0} {2}\n", name, help, value);
}

std::vector<std::string> problems_of(const AgentStatus& status) {
  auto problems = status.problems;
  if (!status.output.blocked_because.empty())
    problems.insert(problems.begin(), "output: " + status.output.blocked_because);
  return problems;
}

}  // namespace

std::string render_metrics(const AgentStatus& status) {
  std::string out;
  counter(out, "weir_agent_lines_read_total", "Lines read from files.", status.read_lines);
  counter(out, "weir_agent_bytes_read_total", "Bytes of content read from files.", status.read_bytes);
  counter(out, "weir_agent_lines_shipped_total", "Lines acknowledged by the output.", status.shipped_lines);
  counter(out, "weir_agent_bytes_shipped_total", "Bytes of content acknowledged by the output.",
          status.shipped_bytes);
  counter(out, "weir_agent_batches_shipped_total", "Batches acknowledged by the output.",
          status.shipped_batches);
  counter(out, "weir_agent_crowded_batches_total",
          "Batches of windows closed early: their lines are of many sites or windows.",
          status.crowded_batches);
  counter(out, "weir_agent_wire_bytes_total", "Bytes of messages handed to the output.", status.wire_bytes);
  counter(out, "weir_agent_lines_unparsed_total", "Lines that did not fit their format.",
          status.unparsed_lines);
  counter(out, "weir_agent_lines_filtered_total", "Blank, comment and excluded lines.",
          status.filtered_lines);
  counter(out, "weir_agent_lines_truncated_total", "Lines longer than max_line.", status.truncated_lines);
  counter(out, "weir_agent_lost_bytes_total",
          "Bytes that will never be read: truncated, deleted or released unread.", status.lost_bytes);
  counter(out, "weir_agent_unseen_truncations_total", "Files that were truncated while nobody looked.",
          status.unseen_truncations);
  counter(out, "weir_agent_reconnects_total", "Times the output was lost and came back.",
          status.output.reconnects);
  metric(out, "weir_agent_in_flight_bytes", "gauge", "Content read and not yet acknowledged.",
         static_cast<double>(status.in_flight_bytes));
  metric(out, "weir_agent_backlog_bytes", "gauge", "Bytes of rotated files that are not acknowledged.",
         static_cast<double>(status.backlog_bytes));
  metric(out, "weir_agent_output_connected", "gauge", "1 when the output takes messages.",
         status.output.connected ? 1 : 0);
  metric(out, "weir_agent_sources", "gauge", "Sources that are followed.",
         static_cast<double>(status.source_count));
  const auto now_ms = std::chrono::duration_cast<std::chrono::milliseconds>(
                          std::chrono::system_clock::now().time_since_epoch())
                          .count();
  std::string bytes =
      "# HELP weir_agent_file_lag_bytes Bytes of a file that are not acknowledged.\n# TYPE "
      "weir_agent_file_lag_bytes gauge\n";
  std::string seconds =
      "# HELP weir_agent_file_lag_seconds Time since the last acknowledgement of a file that has more.\n# "
      "TYPE weir_agent_file_lag_seconds gauge\n";
  for (const auto& source : status.sources) {
    const auto lag = source.size_bytes - std::min(source.size_bytes, source.acknowledged_offset);
    const auto name = fmt::format("{{path=\"{}\",source=\"{}\"}}", label(source.path), source.id.hex());
    bytes += fmt::format("weir_agent_file_lag_bytes{} {}\n", name, lag);
    const auto age = lag > 0 && source.last_acknowledged_ms > 0
                         ? static_cast<double>(now_ms - source.last_acknowledged_ms) / 1000
                         : 0.0;
    seconds += fmt::format("weir_agent_file_lag_seconds{} {}\n", name, age);
  }
  return out + bytes + seconds;
}

std::string render_health(const AgentStatus& status) {
  const auto problems = problems_of(status);
  std::string out = fmt::format("{{\"status\":\"{}\",\"problems\":[", problems.empty() ? "ok" : "degraded");
  for (std::size_t i = 0; i < problems.size(); ++i) out += (i > 0 ? "," : "") + json_text(problems[i]);
  return out + "]}\n";
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
  const auto colon = listen.rfind(':');
  const auto host = listen.substr(0, colon);
  const int port = colon == std::string::npos ? -1 : std::atoi(listen.c_str() + colon + 1);
  if (port < 0 || port > 65535 || host.empty())
    return fail(Code::kInvalid, fmt::format("metrics.listen {}: is not HOST:PORT", listen),
                "for example \"127.0.0.1:9601\"");
  std::unique_ptr<MetricsServer> server(new MetricsServer);
  auto& http = server->impl_->server;
  http.new_task_queue = [] { return new httplib::ThreadPool(2); };
  http.set_payload_max_length(1024);
  // The library's default is SO_REUSEPORT, with which two agents would share an address unnoticed.
  http.set_socket_options([](socket_t socket) {
    const int yes = 1;
    ::setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  });
  http.Get("/metrics", [status](const httplib::Request&, httplib::Response& response) {
    response.set_content(render_metrics(status()), "text/plain; version=0.0.4");
  });
  http.Get("/health", [status](const httplib::Request&, httplib::Response& response) {
    const auto now = status();
    response.status = problems_of(now).empty() ? 200 : 503;
    response.set_content(render_health(now), "application/json");
  });
  const int bound = port == 0                               ? http.bind_to_any_port(host.c_str())
                    : http.bind_to_port(host.c_str(), port) ? port
                                                            : -1;
  if (bound < 0) {
    return fail(Code::kUnavailable,
                fmt::format("metrics.listen {}: the address is in use, or not this machine's", listen),
                "choose another port, or \"\" to have none");
  }
  server->impl_->address = fmt::format("{}:{}", host, bound);
  server->impl_->thread = std::thread([&http] { http.listen_after_bind(); });
  while (!http.is_running()) std::this_thread::yield();
  return server;
}

}  // namespace weir
