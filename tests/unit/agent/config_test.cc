// agent.toml: every key is read, every mistake is reported with its line.
#include "agent/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/metrics_server.h"
#include "tests/unit/temp_folder.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::TempFolder;
using namespace std::chrono_literals;

std::string mistakes_of(std::string_view text) {
  std::string said;
  for (const auto& mistake : parse_agent_config(ConfigFile::from_text(text, "agent.toml")).mistakes)
    said += mistake.text() + "\n";
  return said;
}

constexpr std::string_view kGood = R"(
[agent]
id = "web1"
state_dir = "/tmp/state"
[[input]]
name = "shop"
paths = ["/var/log/nginx/*.log"]
exclude = ["/var/log/nginx/error*"]
format = "mine"
start_at = "end"
ignore_older = "2d"
max_line = "64KiB"
fields = { site = "shop.example" }
trusted_proxies = ["10.0.0.0/8"]
client_from = ["http_x_forwarded_for"]
[format.mine]
nginx = '$remote_addr [$time_local] "$request" $status ${http_x_forwarded_for}'
[output.kafka]
brokers = ["k1:9092", "k2:9092"]
topic = "access"
acks = 1
codec = "json"
[output.kafka.librdkafka]
linger.ms = 5
[metrics]
listen = "127.0.0.1:9700"
)";

TEST(AgentConfig, EveryKeyArrives) {
  const auto loaded = parse_agent_config(ConfigFile::from_text(kGood, "agent.toml"));
  EXPECT_EQ(mistakes_of(kGood), "");
  const auto& config = loaded.config;
  EXPECT_EQ(config.id, "web1");
  EXPECT_EQ(config.state_dir, "/tmp/state");
  ASSERT_EQ(config.inputs.size(), 1U);
  const auto& input = config.inputs[0];
  EXPECT_EQ(input.name, "shop");
  EXPECT_THAT(input.paths, ElementsAre("/var/log/nginx/*.log"));
  EXPECT_THAT(input.exclude, ElementsAre("/var/log/nginx/error*"));
  EXPECT_TRUE(input.start_at_end);
  EXPECT_EQ(input.ignore_older, 48h);
  EXPECT_EQ(input.max_line, 65536U);
  EXPECT_EQ(input.fields.at("site"), "shop.example");
  EXPECT_THAT(input.client.trusted_proxies, ElementsAre("10.0.0.0/8"));
  EXPECT_THAT(config.formats.at("mine").text, HasSubstr("${http_x_forwarded_for}"));
  EXPECT_EQ(config.output.kind, OutputKind::kKafka);
  EXPECT_THAT(config.output.kafka.brokers, ElementsAre("k1:9092", "k2:9092"));
  EXPECT_EQ(config.output.kafka.acks, "1");
  EXPECT_EQ(config.output.codec, Codec::kJson);
  EXPECT_EQ(config.output.kafka.librdkafka.at("linger.ms"), "5");
  EXPECT_EQ(config.metrics_listen, "127.0.0.1:9700");
}

TEST(AgentConfig, TheBacklogHasAShareAndARate) {
  const auto with = [](std::string_view ship) { return "[ship]\n" + std::string(ship) + std::string(kGood); };
  const auto parsed = [&](std::string_view ship) {
    EXPECT_EQ(mistakes_of(with(ship)), "") << ship;
    return parse_agent_config(ConfigFile::from_text(with(ship), "agent.toml")).config.ship.backlog;
  };
  EXPECT_EQ(parsed("").percent, 25U);
  EXPECT_EQ(parsed("").bytes_per_s, 0U);
  EXPECT_EQ(parsed("backlog_percent = 0").percent, 0U);
  EXPECT_EQ(parsed("backlog_bytes_per_s = \"10MiB\"").bytes_per_s, 10U << 20);
  EXPECT_THAT(mistakes_of(with("backlog_percent = 100")), HasSubstr("agent.toml:2: ship.backlog_percent"));
  EXPECT_THAT(mistakes_of(with("backlog_percent = -1")), HasSubstr("ship.backlog_percent"));
  EXPECT_THAT(mistakes_of(with("backlog_bytes_per_s = 1023")), HasSubstr("at least 1KiB"));
}

TEST(AgentConfig, WhatIsShippedIsATextOrAList) {
  const std::string base = R"(
[agent]
id = "web1"
[[input]]
name = "a"
paths = ["/l/a.log"]
[ship]
windows_interval = "5s"
windows_batch_max = "1MiB"
window = "5m"
[output.kafka]
brokers = ["k1:9092"]
topic = "access"
)";
  const auto parsed = [&](const std::string& more) {
    EXPECT_EQ(mistakes_of(base + more), "") << more;
    return parse_agent_config(ConfigFile::from_text(base + more, "agent.toml")).config;
  };
  EXPECT_EQ(parsed("").output.kafka.ship, Ship::kRecords);
  EXPECT_EQ(parsed("ship = \"records\"").output.kafka.ship, Ship::kRecords);
  EXPECT_EQ(parsed("ship = [\"windows\"]").output.kafka.ship, Ship::kWindows);
  EXPECT_EQ(parsed("ship = \"windows\"").output.kafka.windows_topic, "");
  const auto both = parsed("ship = [\"windows\", \"records\"]");
  EXPECT_EQ(both.output.kafka.ship, Ship::kBoth);
  EXPECT_EQ(both.output.kafka.windows_topic, "access-windows");
  EXPECT_EQ(both.ship.windows_interval, 5s);
  EXPECT_EQ(both.ship.windows_batch_max, 1U << 20);
  EXPECT_EQ(both.ship.window, 300s);
  EXPECT_EQ(parsed("ship = [\"records\", \"windows\"]\nwindows_topic = \"sums\"").output.kafka.windows_topic,
            "sums");
  EXPECT_THAT(mistakes_of(base + "ship = \"window\""), HasSubstr("must be \"records\", \"windows\""));
  EXPECT_THAT(mistakes_of(base + "ship = []"), HasSubstr("must be \"records\", \"windows\""));
  EXPECT_THAT(mistakes_of(base + "ship = 1"), HasSubstr("agent.toml:14: output.kafka.ship"));
  EXPECT_THAT(mistakes_of(base + "ship = \"windows\"\ncodec = \"json\""),
              HasSubstr("need codec = \"batch\""));
  EXPECT_THAT(mistakes_of(base + "windows_topic = \"sums\""), HasSubstr("windows alone go to topic"));
  EXPECT_THAT(mistakes_of(base + "ship = [\"records\", \"windows\"]\nwindows_topic = \"access\""),
              HasSubstr("one of their own"));
  EXPECT_THAT(mistakes_of(base + "ship = [\"records\", \"windows\"]\nwindows_topic = \"a b\""),
              HasSubstr("is not a valid topic name"));
  EXPECT_THAT(mistakes_of("[ship]\nwindow = \"7m\"\n" + base.substr(0, base.find("[ship]")) +
                          base.substr(base.find("[output"))),
              HasSubstr("ship.window: must be what [window] length of the aggregator is"));
}

TEST(AgentConfig, MistakesAreSaidAllAtOnce) {
  const auto said = mistakes_of(R"([[input]]
name = "a"
paths = []
format = "nosuch"
[[input]]
name = "a"
paths = ["/x"]
format = "combined"
trusted_proxies = ["10.0.0.0/99"]
start_at = "middle"
[format.bad]
regex = '(unclosed'
[output.kafka]
brokers = ["k1:notaport"]
topic = "a/b"
acks = 2
codec = "xml"
[tail]
scan_interval = "0s"
[metrics]
listen = "nowhere"
)");
  for (const char* key : {"paths", "nosuch", "10.0.0.0/99", "middle", "format.bad", "k1:notaport", "a/b",
                          "acks", "xml", "tail.scan_interval", "metrics.listen"})
    EXPECT_THAT(said, HasSubstr(key));
  EXPECT_THAT(said, HasSubstr("agent.toml:4:"));
}

TEST(AgentConfig, APropertyThatLibrdkafkaRefusesIsAMistake) {
  const auto said = mistakes_of(R"([[input]]
name = "a"
paths = ["/x"]
[output.kafka]
brokers = ["k1:9092"]
topic = "t"
[output.kafka.librdkafka]
"linger.ms" = "x"
sokcet.timeout.ms = 3
nothing.like.it = 1
"queue.buffering.max.kbytes" = 65536
)");
  EXPECT_THAT(said, HasSubstr("agent.toml:7: output.kafka.librdkafka: \"linger.ms\" = \"x\": Invalid value"));
  EXPECT_THAT(said, HasSubstr("did you mean \"socket.timeout.ms\"?"));
  EXPECT_THAT(said, HasSubstr("\"nothing.like.it\" is not a property of librdkafka\n"));
  EXPECT_THAT(said, ::testing::Not(HasSubstr("kbytes")));
}

TEST(AgentConfig, FormatsWithFieldsTimesAndProfiles) {
  const auto loaded = parse_agent_config(ConfigFile::from_text(R"([format.shop]
json = true
fields = { "req.path" = "request_uri", srv.name = "host", "host" = "" }
time = "%d/%b/%Y:%T"
zone = "+02:00"
[format.lb]
profile = "haproxy"
zone = "-05:00"
[[input]]
name = "a"
paths = ["/x"]
format = "caddy"
[output.stdout]
)",
                                                               "agent.toml"));
  EXPECT_THAT(loaded.mistakes, ::testing::IsEmpty());
  const auto& shop = loaded.config.formats.at("shop");
  EXPECT_EQ(shop.fields.at("req.path"), "request_uri");
  EXPECT_EQ(shop.fields.at("srv.name"), "host");
  EXPECT_EQ(shop.time, "%d/%b/%Y:%T");
  EXPECT_EQ(shop.zone, "+02:00");
  const auto& lb = loaded.config.formats.at("lb");
  EXPECT_EQ(lb.text, named_format("haproxy")->text);
  EXPECT_EQ(lb.time, named_format("haproxy")->time);
  EXPECT_EQ(lb.zone, "-05:00");
}

TEST(AgentConfig, MistakesInFormatsHaveTheirKey) {
  const auto said = mistakes_of(R"([format.a]
json = true
fields = { "x" = "request_urj" }
[format.b]
json = true
time = "%Y-%m-%d %Q"
[format.c]
nginx = '$msec'
fields = { "x" = "host" }
[format.d]
profile = "caddyy"
[format.e]
w3c = true
json = true
[format.f]
json = true
time = "%F %T"
zone = "Mars"
)");
  EXPECT_THAT(said, HasSubstr("agent.toml:3: format.a.fields: fields: \"x\" = \"request_urj\""));
  EXPECT_THAT(said, HasSubstr("did you mean \"request_uri\"?"));
  EXPECT_THAT(said, HasSubstr("agent.toml:6: format.b.time: time: \"%Q\""));
  EXPECT_THAT(said, HasSubstr("fields: only json has them"));
  EXPECT_THAT(
      said,
      HasSubstr("agent.toml:11: format.d.profile: format \"caddyy\" is not known; did you mean \"caddy\"?"));
  EXPECT_THAT(said, HasSubstr("agent.toml:12: format.e"));
  EXPECT_THAT(said, HasSubstr("needs exactly one of nginx"));
  EXPECT_THAT(said, HasSubstr("agent.toml:17: format.f.time: zone: not an offset from UTC"));
}

TEST(AgentConfig, WhatAReloadCannotChangeIsNamedWhenItChanged) {
  constexpr std::string_view kText = R"([agent]
id = "web1"
[[input]]
name = "a"
paths = ["/x"]
[output.kafka]
brokers = ["k1:9092"]
topic = "t"
)";
  const auto of = [](std::string text) {
    return parse_agent_config(ConfigFile::from_text(text, "agent.toml")).config;
  };
  const std::string text(kText);
  EXPECT_THAT(needs_restart(of(text), of(text + "[[input]]\nname = \"b\"\npaths = [\"/y\"]\n")),
              ::testing::IsEmpty());
  EXPECT_THAT(needs_restart(of(text), of(text + "acks = 1\n[metrics]\nlisten = \"\"\n")),
              ::testing::ElementsAre("output", "metrics.listen"));
}

TEST(AgentConfig, WithoutInputOrOutputIsSaid) {
  EXPECT_THAT(mistakes_of("[agent]\nid = \"x\"\n"), HasSubstr("input"));
  EXPECT_THAT(mistakes_of("[[input]]\nname=\"a\"\npaths=[\"/x\"]\n"), HasSubstr("output"));
  EXPECT_NE(
      mistakes_of("[[input]]\nname=\"a\"\npaths=[\"/x\"]\n[output.stdout]\n[output.file]\npath=\"/y\"\n"),
      "");
}

TEST(AgentConfig, WhatNoBatchCanCarryIsSaid) {
  std::string fields;
  for (int i = 0; i < 65; ++i) fields += "f" + std::to_string(i) + " = \"x\"\n";
  const std::string output = "[output.stdout]\n";
  const std::string input = "[[input]]\nname = \"web\"\npaths = [\"/l/*.log\"]\n";
  EXPECT_THAT(mistakes_of(output + input + "[input.fields]\n" + fields), HasSubstr("at most 64 texts"));
  EXPECT_THAT(mistakes_of(output + input + "[input.fields]\nf = \"" + std::string(17'000, 'x') + "\"\n"),
              HasSubstr("16384 bytes together"));
  EXPECT_THAT(mistakes_of(output + input + "max_line = \"17MiB\"\n"), HasSubstr("\"16MiB\""));
  EXPECT_EQ(mistakes_of(output + input + "max_line = \"16MiB\"\n[input.fields]\nf = \"x\"\n"), "");
}

TEST(AgentConfig, IncludesAreReadAndTheirMistakesCarryTheirFile) {
  const TempFolder folder;
  std::filesystem::create_directories(folder / "conf.d");
  folder.write("agent.toml", "include = [\"conf.d/*.toml\"]\n[output.stdout]\n");
  folder.write("conf.d/one.toml", "[[input]]\nname = \"one\"\npaths = [\"/one\"]\n");
  folder.write("conf.d/two.toml", "[[input]]\nname = \"two\"\npath = [\"/two\"]\n");
  const auto loaded = load_agent_config(folder / "agent.toml");
  ASSERT_TRUE(loaded.has_value());
  EXPECT_EQ(loaded->config.inputs.size(), 2U);
  std::string said;
  for (const auto& mistake : loaded->mistakes) said += mistake.text() + "\n";
  EXPECT_THAT(said, HasSubstr("two.toml:3: input.path: unknown key; did you mean \"paths\"?"));
  EXPECT_THAT(said, Not(HasSubstr("one.toml")));
}

TEST(AgentConfig, ASecretMayComeFromAFile) {
  const TempFolder folder;
  folder.write("password", "hunter2\n");
  const auto text =
      std::string(
          "[[input]]\nname=\"a\"\npaths=[\"/x\"]\n[output.kafka]\nbrokers=[\"k:1\"]\ntopic=\"t\"\n"
          "sasl_mechanism=\"PLAIN\"\nsasl_username=\"u\"\nsasl_password_file=\"") +
      (folder / "password") + "\"\n";
  EXPECT_EQ(mistakes_of(text), "");
  EXPECT_EQ(parse_agent_config(ConfigFile::from_text(text, "agent.toml")).config.output.kafka.sasl_password,
            "hunter2");
}

TEST(Metrics, HostileNamesStayInTheirLabel) {
  AgentStatus status;
  status.read_lines = 7;
  SourceStatus source;
  source.path = "/var/log/\"}\nweir_agent_lines_read_total 99\n\\x";
  source.size_bytes = 100;
  source.acknowledged_offset = 40;
  status.sources.push_back(source);
  status.problems = {"bad \x1b[2J \"quoted\"\n"};
  const auto text = render_metrics(status);
  EXPECT_THAT(text, HasSubstr("weir_agent_lines_read_total 7"));
  EXPECT_THAT(text, Not(HasSubstr("\nweir_agent_lines_read_total 99")));
  EXPECT_THAT(text, HasSubstr("60"));
  const auto health = render_health(status);
  EXPECT_THAT(health, HasSubstr("\"status\":\"degraded\""));
  EXPECT_THAT(health, Not(HasSubstr("\x1b")));
  EXPECT_EQ(health.find('\n'), health.size() - 1);
}

}  // namespace
}  // namespace weir
