// weir-agent status: prints the sources in the registry, even while an agent is running.
#include <fmt/format.h>

#include <algorithm>

#include "agent/command_text.h"
#include "agent/commands.h"
#include "agent/tail/registry_status.h"
#include "common/exit_codes.h"
#include "common/text.h"

namespace weir {
namespace {

std::uint64_t lag(const SourceStatus& source, std::uint64_t offset) {
  return source.size_bytes - std::min(source.size_bytes, offset);
}

std::uint64_t lag(const SourceStatus& source) { return lag(source, source.acknowledged_offset); }

std::uint64_t offset_of(const SourceStatus& source, const RouteConfig& route) {
  return offset_of(source.routes, to_string(route.codec), source.acknowledged_offset);
}

void print_source(const SourceStatus& source) {
  fmt::print("{:<32}  {:>14}  {:>14}  {:>12}  {:<20}  {:<8}  {}\n", source.id.hex(), source.size_bytes,
             source.acknowledged_offset, lag(source), utc_text(source.last_acknowledged_ms),
             visible(source.state.text()), visible(source.path));
}

// With several routes, the offset of each: {"batch":1200,"windows":800}.
std::string routes_json(const SourceStatus& source, const std::vector<RouteConfig>& routes) {
  if (routes.size() < 2) return "";
  std::string out;
  for (const auto& route : routes)
    out +=
        fmt::format("{}\"{}\":{}", out.empty() ? "" : ",", to_string(route.codec), offset_of(source, route));
  return fmt::format(",\"routes\":{{{}}}", out);
}

void print_source_json(const SourceStatus& source, const std::vector<RouteConfig>& routes) {
  fmt::print(
      "{{\"source\":\"{}\",\"path\":{},\"input\":{},\"size_bytes\":{},\"shipped_offset\":{},\"lag_"
      "bytes\":{},\"last_shipped_ms\":{},\"state\":{}{}}}\n",
      source.id.hex(), json_text(source.path), json_text(source.input), source.size_bytes,
      source.acknowledged_offset, lag(source), source.last_acknowledged_ms, json_text(source.state.text()),
      routes_json(source, routes));
}

void print_routes(const std::vector<SourceStatus>& sources, const std::vector<RouteConfig>& routes) {
  if (routes.size() < 2) return;
  fmt::print("\n{:<32}  {:>14}  {:>14}  {:>12}  TOPIC\n", "ROUTE", "SIZE", "SHIPPED", "LAG");
  for (const auto& route : routes) {
    std::uint64_t size_bytes = 0, shipped_bytes = 0, lag_bytes = 0;
    for (const auto& source : sources) {
      size_bytes += source.size_bytes;
      shipped_bytes += offset_of(source, route);
      lag_bytes += lag(source, offset_of(source, route));
    }
    fmt::print("{:<32}  {:>14}  {:>14}  {:>12}  {}\n", to_string(route.codec), size_bytes, shipped_bytes,
               lag_bytes, visible(route.topic));
  }
}

}  // namespace

int status_command(const std::string& state_dir, const std::vector<RouteConfig>& routes, bool json) {
  const auto sources = read_registry_status(state_dir);
  if (!sources) {
    print_error("weir-agent", sources.error());
    return sources.error().code == Code::kNotFound ? kExitInput : kExitFailed;
  }
  if (json) {
    for (const auto& source : *sources) print_source_json(source, routes);
    return kExitOk;
  }
  fmt::print("{:<32}  {:>14}  {:>14}  {:>12}  {:<20}  {:<8}  PATH\n", "SOURCE", "SIZE", "SHIPPED", "LAG",
             "LAST SHIPPED", "STATE");
  for (const auto& source : *sources) print_source(source);
  print_routes(*sources, routes);
  return kExitOk;
}

}  // namespace weir
