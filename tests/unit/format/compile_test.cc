#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/format/parser.h"

namespace weir {
namespace {

using Outcome = LineParser::Outcome;
using testing::HasSubstr;

constexpr std::string_view kTime = "[10/Oct/2000:13:55:36 -0700]";
constexpr std::int64_t kTimeMs = 971211336000;

std::unique_ptr<LineParser> nginx(std::string text, std::string escape = "default",
                                  ClientConfig client = {}) {
  auto parser = compile_format({FormatSpec::Kind::kNginx, std::move(text), std::move(escape)}, client);
  if (!parser) ADD_FAILURE() << parser.error().what;
  return parser ? std::move(*parser) : nullptr;
}

std::unique_ptr<LineParser> named(std::string_view name) {
  return std::move(*compile_format(*named_format(name), {}));
}

Error compile_error(std::string text) {
  auto parser = compile_format({FormatSpec::Kind::kNginx, std::move(text), "default"}, {});
  if (parser) {
    ADD_FAILURE() << "compiled";
    return {};
  }
  return parser.error();
}

TEST(NginxFormat, CombinedLine) {
  const auto parser = named("combined");
  Record record;
  Unparsed reason{};
  const std::string line =
      R"(10.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /a.gif?x=1 HTTP/1.0" 200 2326 "http://e.org/" "Mozilla")"
      "\r";
  ASSERT_EQ(parser->parse(line, record, reason), Outcome::kRecord);
  EXPECT_EQ(record.time_ms, kTimeMs);
  EXPECT_EQ(record.get(Text::kClientAddress), "10.0.0.1");
  EXPECT_EQ(record.get(Text::kPeerAddress), "10.0.0.1");
  EXPECT_EQ(record.get(Text::kRemoteUser), "frank");
  EXPECT_EQ(record.get(Text::kMethod), "GET");
  EXPECT_EQ(record.get(Text::kPath), "/a.gif");
  EXPECT_EQ(record.get(Text::kQuery), "x=1");
  EXPECT_EQ(record.get(Text::kProtocol), "HTTP/1.0");
  EXPECT_EQ(record.get(Number::kStatus), 200U);
  EXPECT_EQ(record.get(Number::kBodyBytesSent), 2326U);
  EXPECT_EQ(record.get(Text::kReferrer), "http://e.org/");
  EXPECT_EQ(record.get(Text::kUserAgent), "Mozilla");
  EXPECT_FALSE(record.has(Number::kRequestTimeMs));
}

// Short and very long lines are searched, others are read by their index, whose words can begin anywhere in a
// value.
TEST(NginxFormat, ValuesOfEachLengthAreFound) {
  const auto parser = nginx(R"($remote_user [$time_local] "$http_user_agent" $status "$http_referer")");
  constexpr std::pair<const char*, const char*> kEnds[] = {{"", ""}, {R"(\")", R"(")"}, {R"(\\)", R"(\)"}};
  Record record;
  Unparsed reason{};
  for (std::size_t size = 1; size < 5000; size += size < 300 || (size > 3950 && size < 4150) ? 1 : 100) {
    for (const auto& [logged, meant] : kEnds) {
      const std::string agent(size, 'a');
      const std::string user(size % 70 + 1, 'u');
      const std::string line = user + ' ' + std::string(kTime) + " \"" + agent + logged + "\" 200 \"x\"";
      ASSERT_EQ(parser->parse(line, record, reason), Outcome::kRecord) << line;
      ASSERT_EQ(record.get(Text::kRemoteUser), user);
      ASSERT_EQ(record.get(Text::kUserAgent), agent + meant);
      ASSERT_EQ(record.get(Number::kStatus), 200U);
      ASSERT_EQ(record.get(Text::kReferrer), "x");
      ASSERT_EQ(parser->parse(line.substr(0, line.size() - 1), record, reason), Outcome::kUnparsed);
      ASSERT_EQ(parser->parse(line + ' ', record, reason), Outcome::kUnparsed);
    }
  }
}

struct RequestCase {
  std::string_view logged, method, path, query, protocol, request;
};

class RequestLineTest : public testing::TestWithParam<RequestCase> {};

TEST_P(RequestLineTest, IsSplitOrKeptWhole) {
  const auto parser = nginx(R"([$time_local] "$request" $status)");
  const auto& expected = GetParam();
  Record record;
  Unparsed reason{};
  const std::string line = std::string(kTime) + " \"" + std::string(expected.logged) + "\" 400";
  ASSERT_EQ(parser->parse(line, record, reason), Outcome::kRecord) << line;
  EXPECT_EQ(record.get(Text::kMethod), expected.method);
  EXPECT_EQ(record.get(Text::kPath), expected.path);
  EXPECT_EQ(record.get(Text::kQuery), expected.query);
  EXPECT_EQ(record.get(Text::kProtocol), expected.protocol);
  EXPECT_EQ(record.get(Text::kRequest), expected.request);
  EXPECT_EQ(record.get(Number::kStatus), 400U);
}

INSTANTIATE_TEST_SUITE_P(
    AsNginxLogsThem, RequestLineTest,
    testing::Values(RequestCase{"GET /x", "GET", "/x", "", "", ""},
                    RequestCase{"GET /a b c?d e HTTP/1.1", "GET", "/a b c", "d e", "HTTP/1.1", ""},
                    RequestCase{"GET /\\x22q\\x22 HTTP/1.1", "GET", "/\"q\"", "", "HTTP/1.1", ""},
                    RequestCase{"OPTIONS * HTTP/1.1", "OPTIONS", "*", "", "HTTP/1.1", ""},
                    RequestCase{"CONNECT e.org:443 HTTP/1.1", "CONNECT", "e.org:443", "", "HTTP/1.1", ""},
                    RequestCase{"GET /x? HTTP/1.1", "GET", "/x", "", "HTTP/1.1", ""},
                    RequestCase{"\\x16\\x03\\x01 GET / HTTP/1.1", "", "", "", "",
                                "\x16\x03\x01 GET / HTTP/1.1"},
                    RequestCase{"hello", "", "", "", "", "hello"},
                    RequestCase{"GET HTTP/1.1", "", "", "", "", "GET HTTP/1.1"},
                    RequestCase{"", "", "", "", "", ""}, RequestCase{"-", "", "", "", "", ""},
                    RequestCase{"GET /\\xZZ\\x4 HTTP/1.1", "GET", "/\\xZZ\\x4", "", "HTTP/1.1", ""}));

TEST(NginxFormat, UpstreamLists) {
  const auto parser = nginx(
      "$msec $upstream_addr $upstream_status $upstream_response_time $upstream_connect_time $request_time "
      "$pipe $foo");
  Record record;
  Unparsed reason{};
  ASSERT_EQ(parser->parse("971211336.123 10.0.0.1:80, 10.0.0.2:80 : unix:/s 502, 504 : 200 0.1, 0.02 : 0.003 "
                          "-, 0.001 : - 0.1237 p \\x41",
                          record, reason),
            Outcome::kRecord);
  EXPECT_EQ(record.time_ms, 971211336123);
  EXPECT_EQ(record.get(Text::kUpstreamAddress), "10.0.0.1:80, 10.0.0.2:80 : unix:/s");
  EXPECT_EQ(record.get(Text::kUpstreamStatuses), "502, 504 : 200");
  EXPECT_EQ(record.get(Number::kUpstreamStatus), 200U);
  EXPECT_EQ(record.get(Text::kUpstreamTimes), "0.1, 0.02 : 0.003");
  EXPECT_EQ(record.get(Number::kUpstreamTimeMs), 123U);
  EXPECT_EQ(record.get(Number::kUpstreamConnectTimeMs), 1U);
  EXPECT_EQ(record.get(Number::kRequestTimeMs), 124U);
  EXPECT_EQ(record.get(Number::kPipe), 1U);
  ASSERT_EQ(parser->extra_names(), std::vector<std::string>{"foo"});
  EXPECT_EQ(record.extra[0], "A");
  // With a single upstream the numbers say everything.
  record.clear();
  ASSERT_EQ(parser->parse("971211336.123 10.0.0.1:80 200 0.014 0.001 0.015 . -", record, reason),
            Outcome::kRecord);
  EXPECT_FALSE(record.has(Text::kUpstreamStatuses) || record.has(Text::kUpstreamTimes));
  EXPECT_EQ(record.get(Number::kUpstreamStatus), 200U);
  EXPECT_EQ(record.get(Number::kUpstreamTimeMs), 14U);
  ASSERT_EQ(parser->parse("971211336.123 - - - - - . -", record, reason), Outcome::kRecord);
  EXPECT_EQ(record.number_present, 1U << static_cast<unsigned>(Number::kPipe));
  EXPECT_EQ(record.extra[0].data(), nullptr);
}

TEST(NginxFormat, LinesThatAreNoRecords) {
  const auto parser = named("common");
  Record record;
  Unparsed reason{};
  EXPECT_EQ(parser->parse("", record, reason), Outcome::kSkip);
  EXPECT_EQ(parser->parse("\r", record, reason), Outcome::kSkip);
  const std::string head = "1.1.1.1 - - ";
  const auto reason_of = [&](const std::string& line) {
    EXPECT_EQ(parser->parse(line, record, reason), Outcome::kUnparsed) << line;
    return reason;
  };
  EXPECT_EQ(reason_of("nothing of the sort"), Unparsed::kNoMatch);
  EXPECT_EQ(reason_of(head + "[10/Oct/2000:13:55:36] \"GET / HTTP/1.1\" 200 1"), Unparsed::kBadTime);
  EXPECT_EQ(reason_of(head + "[31/Feb/2000:13:55:36 +0000] \"GET / HTTP/1.1\" 200 1"), Unparsed::kBadTime);
  EXPECT_EQ(reason_of(head + "[10/Oct/2000:13:55:36 +0000] \"GET / HTTP/1.1\" 2x0 1"), Unparsed::kNoMatch);
  EXPECT_EQ(reason_of(head + "[10/Oct/2000:13:55:36 +0000] \"GET / HTTP/1.1\" 1000 1"), Unparsed::kNoMatch);
  EXPECT_EQ(reason_of(head + "[10/Oct/2000:13:55:36 +0000] \"GET / HTTP/1.1\" 200 99999999999999999999"),
            Unparsed::kNoMatch);
  EXPECT_EQ(reason_of(head + std::string("[10/Oct/2000:13:55:36 +0000] \"G\0T / HTTP/1.1\" 200 1", 52)),
            Unparsed::kBinary);
  // Two lines joined by a torn write are not one record.
  const auto combined = named("combined");
  const std::string good = head + std::string(kTime) + R"( "GET / HTTP/1.1" 200 1 "-" "a")";
  EXPECT_EQ(combined->parse(good, record, reason), Outcome::kRecord);
  EXPECT_EQ(combined->parse(good + good, record, reason), Outcome::kUnparsed);
}

TEST(NginxFormat, EscapeJsonAndNone) {
  Record record;
  Unparsed reason{};
  const auto json =
      nginx(R"({"t":"$time_iso8601","r":"$request","ua":"$http_user_agent","s":$status})", "json");
  ASSERT_EQ(
      json->parse(R"({"t":"2000-10-10T13:55:36-07:00","r":"GET \/\"\u00e9 HTTP/1.1","ua":"a\\","s":200})",
                  record, reason),
      Outcome::kRecord);
  EXPECT_EQ(record.time_ms, kTimeMs);
  EXPECT_EQ(record.get(Text::kPath), "/\"\u00e9");
  EXPECT_EQ(record.get(Text::kUserAgent), "a\\");
  const auto none = nginx(R"($time_iso8601 $status "$http_user_agent")", "none");
  ASSERT_EQ(none->parse(R"(2000-10-10T13:55:36-07:00 200 "say "hi" \x41")", record, reason),
            Outcome::kRecord);
  EXPECT_EQ(record.get(Text::kUserAgent), R"(say "hi" \x41)");
}

TEST(NginxFormat, UriVariablesAndHosts) {
  Record record;
  Unparsed reason{};
  auto parser = nginx("$msec|$uri|${args}|$request_uri|$http_host|$host");
  ASSERT_EQ(parser->parse("1.000|/index.html|-|/?a=b|E.org:80|e.org", record, reason), Outcome::kRecord);
  EXPECT_EQ(record.get(Text::kPath), "/");
  EXPECT_EQ(record.get(Text::kQuery), "a=b");
  EXPECT_EQ(record.get(Text::kHost), "e.org");
  ASSERT_EQ(parser->parse("1.000|/index.html|c|-|E.org:80|-", record, reason), Outcome::kRecord);
  EXPECT_EQ(record.get(Text::kPath), "/index.html");
  EXPECT_EQ(record.get(Text::kQuery), "c");
  EXPECT_EQ(record.get(Text::kHost), "E.org:80");
}

TEST(NginxFormat, ErrorsPointAtThePlace) {
  EXPECT_THAT(compile_error("$time_local $status$host").what,
              HasSubstr("at character 20\n  $time_local $status$host\n                     ^"));
  EXPECT_THAT(compile_error("$msec $ x").what,
              HasSubstr("\"$\" without the name of a variable at character 7"));
  EXPECT_THAT(compile_error("$msec ${x").what, HasSubstr("without its \"}\""));
  EXPECT_THAT(compile_error("$status $host").hint, HasSubstr("$time_local"));
  EXPECT_THAT(compile_error("nothing").what, HasSubstr("no variable"));
  EXPECT_FALSE(compile_format({FormatSpec::Kind::kNginx, "$msec", "html"}, {}));
  EXPECT_FALSE(named_format("combine"));
}

TEST(NginxFormat, ClientBehindABalancer) {
  const ClientConfig client{{"10.0.0.0/8", "unix:", "fd00::/8"}, {"http_x_real_ip", "http_x_forwarded_for"}};
  const auto parser = nginx("$msec|$remote_addr|$http_x_real_ip|$http_x_forwarded_for", "default", client);
  Record record;
  Unparsed reason{};
  const auto client_of = [&](std::string_view peer, std::string_view real_ip, std::string_view forwarded) {
    static std::string line;
    line = "1.0|" + std::string(peer) + "|" + std::string(real_ip) + "|" + std::string(forwarded);
    EXPECT_EQ(parser->parse(line, record, reason), Outcome::kRecord);
    EXPECT_EQ(record.get(Text::kPeerAddress), peer);
    return record.get(Text::kClientAddress);
  };
  EXPECT_EQ(client_of("10.1.1.1", "5.5.5.5", "6.6.6.6"), "5.5.5.5");
  EXPECT_EQ(client_of("10.1.1.1", "-", "1.2.3.4, 6.6.6.6, 10.2.2.2"), "6.6.6.6");
  EXPECT_EQ(client_of("9.9.9.9", "5.5.5.5", "6.6.6.6"), "9.9.9.9");
  EXPECT_EQ(client_of("unix:", "-", "6.6.6.6:1234"), "6.6.6.6");
  EXPECT_EQ(client_of("::ffff:10.1.1.1", "-", "[2001:db8::1]:5"), "2001:db8::1");
  EXPECT_EQ(client_of("fd00::1", "-", "::ffff:7.7.7.7"), "7.7.7.7");
  EXPECT_EQ(client_of("10.1.1.1", "-", "6.6.6.6, garbage"), "10.1.1.1");
  EXPECT_EQ(client_of("10.1.1.1", "-", "garbage, 10.3.3.3"), "10.3.3.3");
  EXPECT_EQ(client_of("10.1.1.1", "-", "10.4.4.4, 10.3.3.3"), "10.4.4.4");
  EXPECT_EQ(client_of("garbage", "5.5.5.5", "-"), "garbage");

  const auto realip = nginx("$msec|$remote_addr|$realip_remote_addr");
  ASSERT_EQ(realip->parse("1.0|5.5.5.5|10.0.0.1", record, reason), Outcome::kRecord);
  EXPECT_EQ(record.get(Text::kClientAddress), "5.5.5.5");
  EXPECT_EQ(record.get(Text::kPeerAddress), "10.0.0.1");
}

TEST(NginxFormat, ClientConfigMistakes) {
  const FormatSpec spec{FormatSpec::Kind::kNginx, "$msec $remote_addr", "default"};
  EXPECT_THAT(compile_format(spec, {{"10.0.0.0/33"}, {}}).error().what, HasSubstr("10.0.0.0/33"));
  EXPECT_FALSE(compile_format(spec, {{"balancer"}, {}}));
  EXPECT_THAT(compile_format(spec, {{"10.0.0.0/8"}, {"http_x_real_ip"}}).error().what,
              HasSubstr("client_from"));
}

TEST(JsonFormat, NamesNestingAndTimes) {
  const auto parser = named("json");
  Record record;
  Unparsed reason{};
  ASSERT_EQ(parser->parse(
                R"({"@timestamp":"2024-01-01T00:00:00Z","time":971211336.5,"source":{"ip":"1.1.1.1"},)"
                R"("http":{"request":{"method":"PUT"},"response":{"status_code":201,"body":{"bytes":7}}},)"
                R"("url":{"path":"/p"},"user_agent":{"original":"q\"\u00e9"},"request_time":0.25,)"
                R"("unknown":[1,{"status":5}],"Upstream-Response-Time":"0.1, 0.2","ok":true})",
                record, reason),
            Outcome::kRecord);
  EXPECT_EQ(record.time_ms, 971211336500);
  EXPECT_EQ(record.get(Text::kClientAddress), "1.1.1.1");
  EXPECT_EQ(record.get(Text::kMethod), "PUT");
  EXPECT_EQ(record.get(Number::kStatus), 201U);
  EXPECT_EQ(record.get(Number::kBodyBytesSent), 7U);
  EXPECT_EQ(record.get(Text::kPath), "/p");
  EXPECT_EQ(record.get(Text::kUserAgent), "q\"\u00e9");
  EXPECT_EQ(record.get(Number::kRequestTimeMs), 250U);
  EXPECT_EQ(record.get(Number::kUpstreamTimeMs), 300U);

  const auto time_of = [&](std::string value) {
    const std::string line = "{\"ts\":" + value + "}";
    return parser->parse(line, record, reason) == Outcome::kRecord ? record.time_ms : kNoTime;
  };
  EXPECT_EQ(time_of("971211336"), kTimeMs);
  EXPECT_EQ(time_of("971211336000"), kTimeMs);
  EXPECT_EQ(time_of("1700000000123"), 1700000000123);
  EXPECT_EQ(time_of("1700000000123456"), 1700000000123);
  EXPECT_EQ(time_of("1700000000.123"), 1700000000123);
  EXPECT_EQ(time_of("\"2000-10-10T13:55:36.25-0700\""), kTimeMs + 250);
  EXPECT_EQ(time_of("\"2000-10-10 20:55:36\""), kTimeMs);
  EXPECT_EQ(time_of("\"10/Oct/2000:13:55:36 -0700\""), kTimeMs);
  EXPECT_EQ(time_of("\"soon\""), kNoTime);
  EXPECT_EQ(reason, Unparsed::kBadTime);
  EXPECT_EQ(time_of("971211336} x"), kNoTime);
  EXPECT_EQ(reason, Unparsed::kNoMatch);
  EXPECT_EQ(time_of("971211336,\"status\":\"many\""), kNoTime);
}

TEST(JsonFormat, BytesThatAreNoUtf8) {
  const auto parser = named("json");
  Record record;
  Unparsed reason{};
  ASSERT_EQ(parser->parse("{\"time\":1,\"uri\":\"/\xFFx\"}", record, reason), Outcome::kRecord);
  EXPECT_EQ(record.get(Text::kPath), "/\xEF\xBF\xBDx");
}

TEST(W3cFormat, CloudFront) {
  const auto parser = named("w3c");
  Record record;
  Unparsed reason{};
  EXPECT_EQ(parser->parse("2019-12-04\t21:02:31", record, reason), Outcome::kUnparsed);
  EXPECT_EQ(parser->parse("#Version: 1.0", record, reason), Outcome::kSkip);
  EXPECT_EQ(parser->parse(
                "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status "
                "cs(Referer) cs(User-Agent) cs-uri-query cs-protocol cs-bytes time-taken x-host-header "
                "cs-protocol-version x-edge-result-type",
                record, reason),
            Outcome::kSkip);
  ASSERT_EQ(
      parser->parse(
          "2019-12-04\t21:02:31\tLAX1\t392\t192.0.2.100\tGET\td111.cloudfront.net\t/index.html\t200\t-\t"
          "Mozilla/5.0%20(Windows)\ta=b\thttps\t23\t0.001\te.org\tHTTP/2.0\tHit",
          record, reason),
      Outcome::kRecord);
  EXPECT_EQ(record.time_ms, 1575493351000);
  EXPECT_EQ(record.get(Text::kHost), "e.org");
  EXPECT_EQ(record.get(Text::kUserAgent), "Mozilla/5.0 (Windows)");
  EXPECT_EQ(record.get(Text::kReferrer).data(), nullptr);
  EXPECT_EQ(record.get(Text::kQuery), "a=b");
  EXPECT_EQ(record.get(Text::kScheme), "https");
  EXPECT_EQ(record.get(Text::kProtocol), "HTTP/2.0");
  EXPECT_EQ(record.get(Number::kBytesSent), 392U);
  EXPECT_EQ(record.get(Number::kRequestBytes), 23U);
  EXPECT_EQ(record.get(Number::kRequestTimeMs), 1U);
  EXPECT_EQ(record.get(Text::kUpstreamCacheStatus), "Hit");
  ASSERT_EQ(parser->extra_names()[0], "x_edge_location");
  EXPECT_EQ(record.extra[0], "LAX1");
  EXPECT_EQ(parser->parse("2019-12-04\t21:02:31\tLAX1", record, reason), Outcome::kUnparsed);
}

TEST(W3cFormat, Iis) {
  auto parser = std::move(
      *compile_format({FormatSpec::Kind::kW3c,
                       "date time cs-method cs-uri-stem c-ip cs(User-Agent) sc-status time-taken", ""},
                      {}));
  Record record;
  Unparsed reason{};
  ASSERT_EQ(parser->parse("2019-12-04 21:02:31 GET /a.aspx 1.1.1.1 Mozilla/5.0+(X) 404 15", record, reason),
            Outcome::kRecord);
  EXPECT_EQ(record.get(Text::kUserAgent), "Mozilla/5.0 (X)");
  EXPECT_EQ(record.get(Number::kRequestTimeMs), 15U);
  EXPECT_EQ(record.get(Number::kStatus), 404U);
}

TEST(RegexFormat, GroupsAreColumns) {
  auto parser = std::move(*compile_format(
      {FormatSpec::Kind::kRegex,
       R"((?P<remote_addr>\S+) \[(?P<time>[^\]]+)\] (?P<http_response_status_code>\d+)(?: (?P<color>.+))?)",
       ""},
      {}));
  Record record;
  Unparsed reason{};
  ASSERT_EQ(parser->parse("1.1.1.1 [2000-10-10T20:55:36Z] 200 b\xFFue", record, reason), Outcome::kRecord);
  EXPECT_EQ(record.time_ms, kTimeMs);
  EXPECT_EQ(record.get(Number::kStatus), 200U);
  ASSERT_EQ(parser->extra_names(), std::vector<std::string>{"color"});
  EXPECT_EQ(record.extra[0], "b\xFFue");
  ASSERT_EQ(parser->parse("1.1.1.1 [2000-10-10T20:55:36Z] 200", record, reason), Outcome::kRecord);
  EXPECT_EQ(record.extra[0].data(), nullptr);
  EXPECT_EQ(parser->parse("1.1.1.1 [2000-10-10T20:55:36Z]", record, reason), Outcome::kUnparsed);
  const auto broken = compile_format({FormatSpec::Kind::kRegex, "(?P<time>.*) [x", ""}, {});
  ASSERT_FALSE(broken);
  EXPECT_THAT(broken.error().what, HasSubstr("at character 14"));
  EXPECT_FALSE(compile_format({FormatSpec::Kind::kRegex, "(?P<status>.*)", ""}, {}));
}

TEST(JsonWriter, IsValidWhateverTheBytes) {
  Record record;
  record.time_ms = kTimeMs + 5;
  record.set(Text::kPath, "/\x01\"\\\xFF\xC3\xA9\x7F\xC2\x9B");
  record.set(Number::kRequestTimeMs, 1005);
  record.set(Number::kStatus, 200);
  const std::vector<std::string_view> extra{"v", {}};
  record.extra = extra;
  std::string out;
  append_json(out, record, {"geo\"ip", "none"});
  EXPECT_EQ(out,
            "{\"@timestamp\":\"2000-10-10T20:55:36.005Z\",\"url.path\":\"/"
            "\\u0001\\\"\\\\\xEF\xBF\xBD\xC3\xA9\\u007f\\u009b\","
            "\"http.response.status_code\":200,\"nginx.access.request_time\":1.005,\"nginx.variable."
            "geo\\\"ip\":\"v\"}");
  out.clear();
  append_json_unparsed(out, "\x1b[31m\xC0", Unparsed::kBinary);
  EXPECT_EQ(out, "{\"message\":\"\\u001b[31m\xEF\xBF\xBD\",\"error.message\":\"" +
                     std::string(to_string(Unparsed::kBinary)) + "\"}");
}

}  // namespace
}  // namespace weir
