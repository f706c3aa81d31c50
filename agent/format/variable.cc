#include "agent/format/variable.h"

#include <algorithm>
#include <deque>
#include <string>
#include <unordered_map>
#include <utility>

namespace weir {
namespace {

using Table = std::unordered_map<std::string_view, Variable>;

constexpr Variable text(Text column) { return {Meaning::kText, column, Number::kCount}; }
constexpr Variable fallback(Text column) { return {Meaning::kTextFallback, column, Number::kCount}; }
constexpr Variable number(Number column, Meaning meaning = Meaning::kNumber) {
  return {meaning, Text::kCount, column};
}
constexpr Variable plain(Meaning meaning) { return {meaning, Text::kCount, Number::kCount}; }

const Table& nginx_table() {
  static const Table table{
      {"time_local", plain(Meaning::kTimeLocal)},
      {"time_iso8601", plain(Meaning::kTimeIso8601)},
      {"msec", plain(Meaning::kTimeMsec)},
      {"request", plain(Meaning::kRequest)},
      {"request_uri", plain(Meaning::kRequestUri)},
      {"request_method", text(Text::kMethod)},
      {"uri", fallback(Text::kPath)},
      {"document_uri", fallback(Text::kPath)},
      {"args", fallback(Text::kQuery)},
      {"query_string", fallback(Text::kQuery)},
      {"server_protocol", fallback(Text::kProtocol)},
      {"status", number(Number::kStatus, Meaning::kStatus)},
      {"bytes_sent", number(Number::kBytesSent)},
      {"body_bytes_sent", number(Number::kBodyBytesSent)},
      {"request_length", number(Number::kRequestBytes)},
      {"request_time", number(Number::kRequestTimeMs, Meaning::kSeconds)},
      {"upstream_response_time", number(Number::kUpstreamTimeMs, Meaning::kUpstreamTimes)},
      {"upstream_connect_time", number(Number::kUpstreamConnectTimeMs, Meaning::kSecondsList)},
      {"upstream_header_time", number(Number::kUpstreamHeaderTimeMs, Meaning::kSecondsList)},
      {"upstream_status", plain(Meaning::kUpstreamStatuses)},
      {"upstream_addr", text(Text::kUpstreamAddress)},
      {"upstream_cache_status", text(Text::kUpstreamCacheStatus)},
      {"connection", number(Number::kConnection)},
      {"connection_requests", number(Number::kConnectionRequests)},
      {"pipe", plain(Meaning::kPipe)},
      {"remote_addr", plain(Meaning::kRemoteAddress)},
      {"realip_remote_addr", plain(Meaning::kRealipRemoteAddress)},
      {"remote_user", text(Text::kRemoteUser)},
      {"host", text(Text::kHost)},
      {"http_host", fallback(Text::kHost)},
      {"server_name", text(Text::kServerName)},
      {"scheme", text(Text::kScheme)},
      {"http_referer", text(Text::kReferrer)},
      {"http_user_agent", text(Text::kUserAgent)},
      {"http_x_forwarded_for", text(Text::kForwardedFor)},
      {"proxy_add_x_forwarded_for", fallback(Text::kForwardedFor)},
      {"http_x_real_ip", text(Text::kRealIpHeader)},
      {"ssl_protocol", text(Text::kTlsProtocol)},
      {"ssl_cipher", text(Text::kTlsCipher)},
      {"request_id", text(Text::kRequestId)},
      {"http_x_request_id", fallback(Text::kRequestId)},
  };
  return table;
}

// Aliases and ECS names. In group names, '_' may replace the '.' of an ECS name.
Table aliases() {
  return {
      {"time", plain(Meaning::kTimeAny)},
      {"ts", plain(Meaning::kTimeAny)},
      {"timestamp", plain(Meaning::kTimeAny)},
      {"datetime", plain(Meaning::kTimeAny)},
      {"date_time", plain(Meaning::kTimeAny)},
      {"time_utc", plain(Meaning::kTimeAny)},
      {"event.end", plain(Meaning::kTimeAny)},
      {"@timestamp", plain(Meaning::kTimeShipped)},
      {"time_ms", plain(Meaning::kTimeEpochMs)},
      {"timestamp_ms", plain(Meaning::kTimeEpochMs)},
      {"ts_ms", plain(Meaning::kTimeEpochMs)},
      {"request_line", plain(Meaning::kRequest)},
      {"method", text(Text::kMethod)},
      {"http_method", text(Text::kMethod)},
      {"verb", text(Text::kMethod)},
      {"url", plain(Meaning::kRequestUri)},
      {"url.original", plain(Meaning::kRequestUri)},
      {"path", fallback(Text::kPath)},
      {"query", fallback(Text::kQuery)},
      {"protocol", fallback(Text::kProtocol)},
      {"http_version", fallback(Text::kProtocol)},
      {"status_code", number(Number::kStatus, Meaning::kStatus)},
      {"response_status", number(Number::kStatus, Meaning::kStatus)},
      {"bytes", number(Number::kBodyBytesSent)},
      {"body_bytes", number(Number::kBodyBytesSent)},
      {"size", number(Number::kBodyBytesSent)},
      {"request_bytes", number(Number::kRequestBytes)},
      {"duration_ms", number(Number::kRequestTimeMs, Meaning::kMilliseconds)},
      {"latency_ms", number(Number::kRequestTimeMs, Meaning::kMilliseconds)},
      {"request_time_ms", number(Number::kRequestTimeMs, Meaning::kMilliseconds)},
      {"event.duration", number(Number::kRequestTimeMs, Meaning::kNanoseconds)},
      {"response_time", number(Number::kRequestTimeMs, Meaning::kSeconds)},
      {"upstream_time", number(Number::kUpstreamTimeMs, Meaning::kUpstreamTimes)},
      {"upstream_time_ms", number(Number::kUpstreamTimeMs, Meaning::kMilliseconds)},
      {"upstream_connect_time_ms", number(Number::kUpstreamConnectTimeMs, Meaning::kMilliseconds)},
      {"upstream_header_time_ms", number(Number::kUpstreamHeaderTimeMs, Meaning::kMilliseconds)},
      {"upstream", fallback(Text::kUpstreamAddress)},
      {"cache_status", text(Text::kUpstreamCacheStatus)},
      {"remote_ip", plain(Meaning::kRemoteAddress)},
      {"remote_address", plain(Meaning::kRemoteAddress)},
      {"client_ip", plain(Meaning::kRemoteAddress)},
      {"clientip", plain(Meaning::kRemoteAddress)},
      {"client", plain(Meaning::kRemoteAddress)},
      {"client.ip", plain(Meaning::kRemoteAddress)},
      {"client.address", plain(Meaning::kRemoteAddress)},
      {"source.ip", plain(Meaning::kRemoteAddress)},
      {"user", text(Text::kRemoteUser)},
      {"vhost", fallback(Text::kHost)},
      {"domain", fallback(Text::kHost)},
      {"referer", text(Text::kReferrer)},
      {"referrer", text(Text::kReferrer)},
      {"user_agent", text(Text::kUserAgent)},
      {"useragent", text(Text::kUserAgent)},
      {"agent", text(Text::kUserAgent)},
      {"x_forwarded_for", text(Text::kForwardedFor)},
      {"forwarded_for", text(Text::kForwardedFor)},
      {"x_real_ip", text(Text::kRealIpHeader)},
      {"tls_version", text(Text::kTlsProtocol)},
      {"x_request_id", fallback(Text::kRequestId)},
      // Names used by Caddy and other programs that log a request as an object.
      {"request.method", text(Text::kMethod)},
      {"request.uri", plain(Meaning::kRequestUri)},
      {"request.proto", fallback(Text::kProtocol)},
      {"request.host", fallback(Text::kHost)},
      {"request.client_ip", plain(Meaning::kRemoteAddress)},
      {"request.remote_ip", plain(Meaning::kRealipRemoteAddress)},
      {"request.headers.user_agent", text(Text::kUserAgent)},
      {"request.headers.referer", text(Text::kReferrer)},
      {"request.headers.x_forwarded_for", text(Text::kForwardedFor)},
  };
}

const Table& alias_table() {
  static const Table table = [] {
    Table out = aliases();
    // Our own names, so that the output of `parse` can be read again.
    for (std::size_t i = 0; i < kTextCount; ++i) {
      const auto column = static_cast<Text>(i);
      Variable variable = text(column);
      if (column == Text::kClientAddress) variable = plain(Meaning::kRemoteAddress);
      if (column == Text::kPeerAddress) variable = plain(Meaning::kRealipRemoteAddress);
      if (column == Text::kUpstreamStatuses) variable = plain(Meaning::kUpstreamStatuses);
      out.emplace(ecs_name(column), variable);
    }
    for (std::size_t i = 0; i < kNumberCount; ++i) {
      const auto column = static_cast<Number>(i);
      Meaning meaning = is_milliseconds(column) ? Meaning::kSeconds : Meaning::kNumber;
      if (column == Number::kStatus || column == Number::kUpstreamStatus) meaning = Meaning::kStatus;
      out.emplace(ecs_name(column), number(column, meaning));
    }
    for (const auto& [name, variable] : nginx_table()) out.emplace(name, variable);
    // The table's keys are views of these names. Both live as long as the program.
    static std::deque<std::string> underscored;
    Table more;
    for (const auto& [name, variable] : out) {
      if (name.find('.') == std::string_view::npos) continue;
      std::string& copy = underscored.emplace_back(name);
      for (char& c : copy) c = c == '.' ? '_' : c;
      more.emplace(copy, variable);
    }
    out.merge(more);
    return out;
  }();
  return table;
}

const Table& w3c_table() {
  static const Table table{
      {"date", plain(Meaning::kDate)},
      {"time", plain(Meaning::kTimeOfDay)},
      {"timestamp", plain(Meaning::kTimeAny)},
      {"c-ip", plain(Meaning::kRemoteAddress)},
      {"cs-username", text(Text::kRemoteUser)},
      {"cs-method", text(Text::kMethod)},
      {"cs-uri", plain(Meaning::kRequestUri)},
      {"cs-uri-stem", text(Text::kPath)},
      {"cs-uri-query", text(Text::kQuery)},
      {"cs-protocol", text(Text::kScheme)},
      {"cs-protocol-version", text(Text::kProtocol)},
      {"cs-version", text(Text::kProtocol)},
      {"sc-status", number(Number::kStatus, Meaning::kStatus)},
      {"sc-bytes", number(Number::kBytesSent)},
      {"cs-bytes", number(Number::kRequestBytes)},
      {"time-taken", number(Number::kRequestTimeMs, Meaning::kSecondsOrMilliseconds)},
      {"x-host-header", text(Text::kHost)},
      {"cs(host)", fallback(Text::kHost)},
      {"cs-host", fallback(Text::kHost)},
      {"cs(referer)", text(Text::kReferrer)},
      {"cs(user-agent)", text(Text::kUserAgent)},
      {"x-forwarded-for", text(Text::kForwardedFor)},
      {"cs(x-forwarded-for)", text(Text::kForwardedFor)},
      {"ssl-protocol", text(Text::kTlsProtocol)},
      {"ssl-cipher", text(Text::kTlsCipher)},
      {"x-edge-result-type", text(Text::kUpstreamCacheStatus)},
      {"x-edge-request-id", text(Text::kRequestId)},
      {"s-sitename", text(Text::kServerName)},
  };
  return table;
}

std::optional<Variable> find(const Table& table, std::string_view name) {
  const auto at = table.find(name);
  if (at == table.end()) return std::nullopt;
  return at->second;
}

}  // namespace

bool is_time(Meaning meaning) {
  switch (meaning) {
    case Meaning::kTimeLocal:
    case Meaning::kTimeIso8601:
    case Meaning::kTimeMsec:
    case Meaning::kTimeAny:
    case Meaning::kTimeNotation:
    case Meaning::kTimeShipped:
    case Meaning::kTimeEpochMs:
      return true;
    default:
      return false;
  }
}

bool is_list(std::string_view name) {
  return (name.starts_with("upstream_") && name != "upstream_cache_status") ||
         name == "http_x_forwarded_for" || name == "proxy_add_x_forwarded_for";
}

std::optional<Variable> nginx_variable(std::string_view name) { return find(nginx_table(), name); }
std::optional<Variable> any_variable(std::string_view name) { return find(alias_table(), name); }
std::vector<std::string> variable_names() {
  std::vector<std::string> names;
  for (const auto& [name, variable] : alias_table()) names.emplace_back(name);
  std::sort(names.begin(), names.end());
  return names;
}
std::optional<Variable> w3c_variable(std::string_view name) { return find(w3c_table(), name); }

}  // namespace weir
