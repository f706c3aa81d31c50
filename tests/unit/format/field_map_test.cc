// The meaning of JSON keys, and the forms of their values: nested, in arrays, as text.
#include "agent/format/field_map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/format/parser.h"

namespace weir {
namespace {

using testing::HasSubstr;
using Outcome = LineParser::Outcome;

class JsonLine {
 public:
  explicit JsonLine(FormatSpec spec, const ClientConfig& client = {}) {
    spec.kind = FormatSpec::Kind::kJson;
    auto parser = compile_format(spec, client);
    if (!parser) ADD_FAILURE() << parser.error().what;
    if (parser) parser_ = std::move(*parser);
  }
  // The record is valid until the next call.
  const Record& read(std::string_view line) {
    line_ = line;
    EXPECT_EQ(parser_->parse(line_, record_, reason_), Outcome::kRecord) << line;
    return record_;
  }
  Outcome outcome(std::string_view line) {
    line_ = line;
    return parser_->parse(line_, record_, reason_);
  }

 private:
  std::unique_ptr<LineParser> parser_;
  std::string line_;
  Record record_;
  Unparsed reason_{};
};

FormatSpec mapped(std::map<std::string, std::string> fields, std::string time = {}, std::string zone = {}) {
  return {.fields = std::move(fields), .time = std::move(time), .zone = std::move(zone)};
}

std::string refused(std::map<std::string, std::string> fields) {
  auto spec = mapped(std::move(fields));
  spec.kind = FormatSpec::Kind::kJson;
  const auto parser = compile_format(spec, {});
  if (parser) return "compiled";
  return parser.error().what + "; " + parser.error().hint;
}

constexpr const char* kCaddy =
    R"({"level":"info","ts":1700000000.1234567,"logger":"http.log.access.log0","msg":"handled request",)"
    R"("request":{"remote_ip":"192.0.2.9","client_ip":"203.0.113.5","proto":"HTTP/2.0","method":"GET",)"
    R"("host":"www.example.org","uri":"/x?y=1","headers":{"User-Agent":["curl/7.82.0"],)"
    R"("Referer":["https://example.org/"]}},"bytes_read":0,"user_id":"","duration":0.001929675,)"
    R"("size":10900,"status":200,"resp_headers":{"Server":["Caddy"]}})";

TEST(FieldMap, CaddysLinesGiveAllTheirValues) {
  for (const char* name : {"caddy", "json"}) {
    SCOPED_TRACE(name);
    JsonLine json(*named_format(name));
    const Record& record = json.read(kCaddy);
    EXPECT_EQ(record.time_ms, 1700000000123);
    EXPECT_EQ(record.get(Text::kHost), "www.example.org");
    EXPECT_EQ(record.get(Text::kPath), "/x");
    EXPECT_EQ(record.get(Text::kQuery), "y=1");
    EXPECT_EQ(record.get(Text::kMethod), "GET");
    EXPECT_EQ(record.get(Text::kProtocol), "HTTP/2.0");
    EXPECT_EQ(record.get(Text::kClientAddress), "203.0.113.5");
    EXPECT_EQ(record.get(Text::kPeerAddress), "192.0.2.9");
    EXPECT_EQ(record.get(Text::kUserAgent), "curl/7.82.0");
    EXPECT_EQ(record.get(Text::kReferrer), "https://example.org/");
    EXPECT_EQ(record.get(Number::kStatus), 200U);
    EXPECT_EQ(record.get(Number::kBodyBytesSent), 10900U);
  }
  JsonLine caddy(*named_format("caddy"));
  EXPECT_EQ(caddy.read(kCaddy).get(Number::kRequestTimeMs), 2U);
}

TEST(FieldMap, NamesKeysByTheirPathWhateverTheirCase) {
  JsonLine json(mapped({{"Req.Path-Info", "request_uri"}, {"srv", "host"}, {"took", "duration_ms"}}));
  const Record& record =
      json.read(R"({"time":1700000000,"req":{"path_info":"/a?b"},"SRV":"e","took":"12.4"})");
  EXPECT_EQ(record.get(Text::kPath), "/a");
  EXPECT_EQ(record.get(Text::kQuery), "b");
  EXPECT_EQ(record.get(Text::kHost), "e");
  EXPECT_EQ(record.get(Number::kRequestTimeMs), 12U);
}

// A container's "host" is the machine's name. The map says which key is the site's, wherever in the line it
// is.
TEST(FieldMap, WhatTheMapFillsNoOtherKeyFills) {
  JsonLine json(mapped({{"srv", "host"}, {"url", "request_uri"}, {"at", "time"}}));
  EXPECT_EQ(json.read(R"({"host":"node7","at":1700000000,"srv":"e"})").get(Text::kHost), "e");
  EXPECT_FALSE(json.read(R"({"host":"node7","at":1700000000})").has(Text::kHost));
  EXPECT_FALSE(json.read(R"({"path":"/other","at":1700000000})").has(Text::kPath));
  EXPECT_EQ(json.outcome(R"({"time":1700000000,"srv":"e"})"), Outcome::kUnparsed);
}

TEST(FieldMap, AnEmptyNameLeavesTheKeyOut) {
  JsonLine json(mapped({{"host", ""}}));
  EXPECT_FALSE(json.read(R"({"time":1700000000,"host":"node7"})").has(Text::kHost));
  EXPECT_EQ(json.read(R"({"time":1700000000,"host":"node7","vhost":"e"})").get(Text::kHost), "e");
}

TEST(FieldMap, TimesHaveTheNotationThatTheFormatNames) {
  JsonLine json(mapped({{"at", "time"}}, "%d/%b/%Y:%T.%L", "+02:00"));
  EXPECT_EQ(json.read(R"({"at":"06/Feb/2009:14:14:14.655"})").time_ms, 1233922454655);
  EXPECT_EQ(json.outcome(R"({"at":"2009-02-06T14:14:14Z"})"), Outcome::kUnparsed);
}

TEST(FieldMap, AMistakeNamesTheKeyAndACloseName) {
  EXPECT_THAT(refused({{"u", "request_url"}}), HasSubstr(R"("u" = "request_url")"));
  EXPECT_THAT(refused({{"u", "request_urj"}}), HasSubstr("did you mean"));
  EXPECT_THAT(refused({{"u", "nosuchthing"}}), HasSubstr("no column"));
  EXPECT_THAT(refused({{"", "host"}}), HasSubstr("not a key"));
  EXPECT_THAT(refused({{std::string(200, 'k'), "host"}}), HasSubstr("not a key"));
  EXPECT_THAT(refused({{"a-b", "host"}, {"A_B", "uri"}}), HasSubstr("stands twice"));
}

TEST(FieldMap, OnlyJsonHasOneAndOnlyJsonAndRegexHaveANotation) {
  const auto error = [](FormatSpec spec) {
    const auto parser = compile_format(spec, {});
    return parser ? std::string("compiled") : parser.error().what;
  };
  using Kind = FormatSpec::Kind;
  EXPECT_THAT(error({.kind = Kind::kNginx, .text = "$msec", .fields = {{"a", "host"}}}), HasSubstr("fields"));
  EXPECT_THAT(error({.kind = Kind::kNginx, .text = "$msec", .time = "%s"}), HasSubstr("time"));
  EXPECT_THAT(error({.kind = Kind::kW3c, .time = "%s"}), HasSubstr("time"));
  EXPECT_THAT(error({.kind = Kind::kJson, .zone = "Z"}), HasSubstr("zone"));
  EXPECT_THAT(error({.kind = Kind::kRegex, .text = "(?P<msec>.*)", .time = "%s"}), HasSubstr("time"));
}

TEST(JsonArrays, TheFirstTextCounts) {
  JsonLine json({});
  EXPECT_EQ(json.read(R"({"time":1700000000,"user_agent":[1,null,"a","b"]})").get(Text::kUserAgent), "a");
  EXPECT_FALSE(json.read(R"({"time":1700000000,"user_agent":[]})").has(Text::kUserAgent));
  EXPECT_FALSE(json.read(R"({"time":1700000000,"user_agent":[["a"],{"b":"c"}]})").has(Text::kUserAgent));
}

// A client may send the header itself; the balancer appends its own.
TEST(JsonArrays, TheClientsHeaderIsReadFromTheRightOfAllItsTexts) {
  const ClientConfig client{{"10.0.0.0/8"}, {"http_x_forwarded_for"}};
  JsonLine caddy(*named_format("caddy"), client);
  const auto line = [](std::string_view texts) {
    return R"({"ts":1700000000,"request":{"remote_ip":"10.0.0.1","headers":{"X-Forwarded-For":)" +
           std::string(texts) + "}}}";
  };
  EXPECT_EQ(caddy.read(line(R"(["6.6.6.6","192.0.2.1"])")).get(Text::kClientAddress), "192.0.2.1");
  EXPECT_EQ(caddy.read(line(R"(["6.6.6.6","192.0.2.1, 10.0.0.2",7])")).get(Text::kClientAddress),
            "192.0.2.1");
  EXPECT_EQ(caddy.read(line(R"(["192.0.2.1"])")).get(Text::kClientAddress), "192.0.2.1");
  EXPECT_EQ(caddy.read(line("[]")).get(Text::kClientAddress), "10.0.0.1");
}

TEST(RegexFormat, HaproxysTimesHaveANotation) {
  FormatSpec spec{
      .kind = FormatSpec::Kind::kRegex,
      .text = R"((?P<remote_addr>\S+):\d+ \[(?P<time>[^\]]+)\] .* (?P<status>\d+) (?P<bytes_sent>\d+))",
      .time = "%d/%b/%Y:%H:%M:%S.%L"};
  const auto parser = compile_format(spec, {});
  ASSERT_TRUE(parser) << parser.error().what;
  Record record;
  Unparsed reason{};
  ASSERT_EQ((*parser)->parse("10.0.1.2:33317 [06/Feb/2009:12:14:14.655] http-in 200 2750", record, reason),
            Outcome::kRecord);
  EXPECT_EQ(record.time_ms, 1233922454655);
  EXPECT_EQ((*parser)->parse("10.0.1.2:33317 [06/Feb/2009:12:14:14] http-in 200 2750", record, reason),
            Outcome::kUnparsed);
  EXPECT_EQ(reason, Unparsed::kBadTime);
}

TEST(Haproxy, LinesOfEachKindFit) {
  const auto parser = compile_format(*named_format("haproxy"), {});
  ASSERT_TRUE(parser) << parser.error().what;
  Record record;
  Unparsed reason{};
  for (
      const std::string line : {
          // without syslog's prefix
          R"(192.0.2.7:41342 [23/Nov/2026:10:00:00.123] www app/app1 0/0/1/12/13 200 2750 - - ---- 1/1/0/0/0 0/0 "GET / HTTP/1.1")",
          // IPv6, captured headers, logasap
          R"(2026-11-23T10:00:01+00:00 lb1 haproxy[812]: 2001:db8::7:41342 [23/Nov/2026:10:00:00.123] www~ app/app1 0/0/1/12/+13 200 +2750 - - ---- 1/1/0/0/+0 0/0 {e.example|curl} {} "GET / HTTP/2.0")",
          // refused before a server was chosen
          R"(Nov  3 10:00:01 lb1 haproxy[812]: 192.0.2.7:41342 [23/Nov/2026:10:00:00.123] www www/<NOSRV> -1/-1/-1/-1/0 400 187 - - PR-- 1/1/0/0/0 0/0 "<BADREQ>")",
          // cut by syslog
          R"(192.0.2.7:41342 [23/Nov/2026:10:00:00.123] www app/app1 0/0/1/-1/13 -1 0 - - CD-- 1/1/0/0/0 0/0 "GET /a)",
      }) {
    ASSERT_EQ((*parser)->parse(line, record, reason), Outcome::kRecord) << line;
    EXPECT_EQ(record.time_ms, 1795428000123);
    EXPECT_TRUE(record.has(Number::kBytesSent));
    EXPECT_TRUE(record.get(Text::kClientAddress) == "192.0.2.7" ||
                record.get(Text::kClientAddress) == "2001:db8::7");
  }
}

}  // namespace
}  // namespace weir
