#include "agent/format/known.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace weir {
namespace {

using Kind = FormatSpec::Kind;

// HAProxy's `option httplog`, with or without a syslog prefix. HAProxy writes "-1" for a time it did not
// measure and "+" before values of `option logasap`. Inside captured headers and requests it escapes its own
// delimiters as #XX, so a brace or quote there never comes from a client.
constexpr const char* kHaproxy =
    R"re((?:[^\[]*\[\d+\]: )?(?P<remote_addr>\S+):\d+ \[(?P<time>[^\]]+)\] (?P<frontend>\S+) (?P<upstream>\S+) )re"
    R"re(-?\d+/-?\d+/(?:-1|(?P<upstream_connect_time_ms>\d+))/-?\d+/\+?(?:-1|(?P<request_time_ms>\d+)) )re"
    R"re((?:-1|(?P<status>\d+)) \+?(?P<bytes_sent>\d+) \S+ \S+ (?P<termination_state>\S+) )re"
    R"re(\d+/\d+/\d+/\d+/\+?\d+ \d+/\d+(?: \{[^}]*\})* "(?P<request>[^"]*)"?)re";

std::vector<KnownFormat> make_rows() {
  return {
      {.name = kDefaultFormat,
       .description = "nginx's and Apache's default",
       .spec = {.text = R"($remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent )"
                        R"("$http_referer" "$http_user_agent")"},
       .mark = "",
       .sample = R"(192.0.2.7 - ann [23/Nov/2026:10:00:00 +0100] "GET /a?b=c HTTP/1.1" 200 512 )"
                 R"("https://e.example/" "curl/8.5.0")",
       .parsed = R"({"@timestamp":"2026-11-23T09:00:00.000Z","source.address":"192.0.2.7",)"
                 R"("weir.peer.address":"192.0.2.7","user.name":"ann","http.request.method":"GET",)"
                 R"("url.path":"/a","url.query":"b=c","nginx.access.protocol":"HTTP/1.1",)"
                 R"("http.request.referrer":"https://e.example/","user_agent.original":"curl/8.5.0",)"
                 R"("http.response.status_code":200,"http.response.body.bytes":512})"},
      {.name = "main",
       .description =
           R"(what nginx's packages put into `nginx.conf`: `combined` and `"$http_x_forwarded_for"`)",
       .spec = {.text = R"($remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent )"
                        R"("$http_referer" "$http_user_agent" "$http_x_forwarded_for")"},
       .mark = "",
       .sample =
           R"(192.0.2.7 - - [23/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 304 0 "-" "curl/8.5.0" "203.0.113.9")",
       .parsed = R"({"@timestamp":"2026-11-23T10:00:00.000Z","source.address":"192.0.2.7",)"
                 R"("weir.peer.address":"192.0.2.7","http.request.method":"GET","url.path":"/",)"
                 R"("nginx.access.protocol":"HTTP/1.1","user_agent.original":"curl/8.5.0",)"
                 R"("nginx.access.x_forwarded_for":"203.0.113.9","http.response.status_code":304,)"
                 R"("http.response.body.bytes":0})"},
      {.name = "common",
       .description = "`combined` without referrer and user agent",
       .spec = {.text = R"($remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent)"},
       .mark = "",
       .sample = R"(2001:db8::7 - - [23/Nov/2026:10:00:00 +0000] "POST /up HTTP/1.0" 201 17)",
       .parsed = R"({"@timestamp":"2026-11-23T10:00:00.000Z","source.address":"2001:db8::7",)"
                 R"("weir.peer.address":"2001:db8::7","http.request.method":"POST","url.path":"/up",)"
                 R"("nginx.access.protocol":"HTTP/1.0","http.response.status_code":201,)"
                 R"("http.response.body.bytes":17})"},
      {.name = "caddy",
       .description = "Caddy's JSON access log",
       .spec = {.kind = Kind::kJson,
                .fields = {{"ts", "time"},
                           {"duration", "request_time"},
                           {"size", "body_bytes_sent"},
                           {"user_id", "remote_user"},
                           {"request.client_ip", "remote_addr"},
                           {"request.remote_ip", "realip_remote_addr"},
                           {"request.proto", "server_protocol"},
                           {"request.method", "request_method"},
                           {"request.host", "host"},
                           {"request.uri", "request_uri"},
                           {"request.headers.user_agent", "http_user_agent"},
                           {"request.headers.referer", "http_referer"},
                           {"request.headers.x_forwarded_for", "http_x_forwarded_for"}}},
       .mark = R"("logger":"http.log.access)",
       .sample =
           R"({"level":"info","ts":1795428000.1234567,"logger":"http.log.access.log0","msg":"handled request",)"
           R"("request":{"remote_ip":"192.0.2.7","remote_port":"41342","client_ip":"192.0.2.7",)"
           R"("proto":"HTTP/2.0","method":"GET","host":"www.example.org","uri":"/a?b=c",)"
           R"("headers":{"User-Agent":["curl/8.5.0"],"Referer":["https://e.example/"]},)"
           R"("tls":{"resumed":false,"version":772,"proto":"h2","server_name":"www.example.org"}},)"
           R"("bytes_read":0,"user_id":"","duration":0.0123,"size":512,"status":200,)"
           R"("resp_headers":{"Server":["Caddy"],"Content-Type":["text/html"]}})",
       .parsed = R"({"@timestamp":"2026-11-23T10:00:00.123Z","source.address":"192.0.2.7",)"
                 R"("weir.peer.address":"192.0.2.7","http.request.method":"GET","url.path":"/a",)"
                 R"("url.query":"b=c","nginx.access.protocol":"HTTP/2.0","url.domain":"www.example.org",)"
                 R"("http.request.referrer":"https://e.example/","user_agent.original":"curl/8.5.0",)"
                 R"("http.response.status_code":200,"http.response.body.bytes":512,)"
                 R"("nginx.access.request_time":0.012})"},
      {.name = "json",
       .description = "JSON lines",
       .spec = {.kind = Kind::kJson},
       .mark = "",
       .sample = R"({"time":"2026-11-23T10:00:00.250+00:00","remote_addr":"192.0.2.7","host":"shop.example",)"
                 R"("request":"GET /a?b=c HTTP/1.1","status":200,"bytes_sent":"812","request_time":0.012})",
       .parsed = R"({"@timestamp":"2026-11-23T10:00:00.250Z","source.address":"192.0.2.7",)"
                 R"("weir.peer.address":"192.0.2.7","http.request.method":"GET","url.path":"/a",)"
                 R"("url.query":"b=c","nginx.access.protocol":"HTTP/1.1","url.domain":"shop.example",)"
                 R"("http.response.status_code":200,"http.response.bytes":812,)"
                 R"("nginx.access.request_time":0.012})"},
      {.name = "haproxy",
       .description = "HAProxy's `option httplog`; its times are those at which requests began, read as UTC",
       .spec = {.kind = Kind::kRegex, .text = kHaproxy, .time = "%d/%b/%Y:%H:%M:%S.%L"},
       .mark = "",
       .sample =
           R"(Nov 23 10:00:01 lb1 haproxy[812]: 192.0.2.7:41342 [23/Nov/2026:10:00:00.123] www~ app/app1 )"
           R"(0/0/1/12/13 200 2750 - - ---- 1/1/0/0/0 0/0 "GET /a?b=c HTTP/1.1")",
       .parsed = R"({"@timestamp":"2026-11-23T10:00:00.123Z","source.address":"192.0.2.7",)"
                 R"("weir.peer.address":"192.0.2.7","http.request.method":"GET","url.path":"/a",)"
                 R"("url.query":"b=c","nginx.access.protocol":"HTTP/1.1",)"
                 R"("nginx.access.upstream.address":"app/app1","http.response.status_code":200,)"
                 R"("http.response.bytes":2750,"nginx.access.request_time":0.013,)"
                 R"("nginx.access.upstream.connect_time":0.001,"nginx.variable.frontend":"www~",)"
                 R"("nginx.variable.termination_state":"----"})"},
      {.name = "w3c",
       .description = "W3C extended: CloudFront and other CDNs, IIS",
       .spec = {.kind = Kind::kW3c},
       .mark = "",
       .sample = "#Fields: date time c-ip cs-method cs-uri-stem cs-uri-query sc-status sc-bytes time-taken\n"
                 "2026-11-23 10:00:00 192.0.2.7 GET /a b=c 200 512 12",
       .parsed = R"({"@timestamp":"2026-11-23T10:00:00.000Z","source.address":"192.0.2.7",)"
                 R"("weir.peer.address":"192.0.2.7","http.request.method":"GET","url.path":"/a",)"
                 R"("url.query":"b=c","http.response.status_code":200,"http.response.bytes":512,)"
                 R"("nginx.access.request_time":0.012})"},
  };
}

}  // namespace

const std::vector<KnownFormat>& known_formats() {
  static const std::vector<KnownFormat> rows = make_rows();
  return rows;
}

const KnownFormat* find_known_format(std::string_view name) {
  const auto& rows = known_formats();
  const auto at = std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return row.name == name; });
  return at == rows.end() ? nullptr : &*at;
}

std::vector<std::string> known_format_names() {
  std::vector<std::string> names;
  for (const KnownFormat& row : known_formats()) names.emplace_back(row.name);
  return names;
}

std::string known_format_list() { return fmt::format("{}", fmt::join(known_format_names(), ", ")); }

Result<FormatSpec> named_format(std::string_view name) {
  if (const KnownFormat* known = find_known_format(name)) return known->spec;
  return fail(Code::kNotFound, fmt::format("format \"{}\" is not known", name),
              fmt::format("use one of {}, or a [format.NAME] of the configuration", known_format_list()));
}

}  // namespace weir
