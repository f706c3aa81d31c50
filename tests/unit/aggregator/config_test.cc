// aggregator.toml: every key is read, every mistake is reported with its line.
#include "aggregator/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

LoadedAggregatorConfig parse(std::string_view text) {
  return parse_aggregator_config(ConfigFile::from_text(text, "aggregator.toml"));
}

std::string mistakes_of(std::string_view text) {
  std::string said;
  for (const auto& mistake : parse(text).mistakes) said += mistake.text() + "\n";
  return said;
}

constexpr std::string_view kGood = R"(
[source.kafka]
brokers = ["k1:9092"]
topics = ["access", "cdn"]
group = "settlers"
format = "main"
[store.mysql]
host = "db"
port = 3307
user = "u"
password = "p"
database = "d"
[window]
length = "5m"
[pages]
listen = "0.0.0.0:80"
url = "https://weir.example/"
[mail]
server = "smtps://mail:465"
from = "weir@example.org"
to = ["ops@example.org"]
tls = "required"
[[rule]]
name = "busy"
metric = "bytes_per_second"
above = 1e6
clear = 5e5
for = "10m"
site = "*"
[settle]
commit_interval = "250ms"
max_sites = 5
forget_after = "0s"
)";

TEST(AggregatorConfig, EveryKeyArrives) {
  EXPECT_EQ(mistakes_of(kGood), "");
  const auto config = parse(kGood).config;
  ASSERT_TRUE(config.kafka && config.mysql && config.channels.mail);
  EXPECT_THAT(config.kafka->topics, ElementsAre("access", "cdn"));
  EXPECT_EQ(config.kafka->group, "settlers");
  EXPECT_EQ(config.mysql->port, 3307);
  EXPECT_EQ(config.window, 300s);
  EXPECT_EQ(config.pages_listen, "0.0.0.0:80");
  EXPECT_EQ(config.public_url, "https://weir.example/");
  EXPECT_EQ(config.channels.mail->tls, "required");
  ASSERT_EQ(config.rules.size(), 1U);
  EXPECT_EQ(config.rules[0].metric, Metric::kBytesPerSecond);
  EXPECT_EQ(config.rules[0].clear, 5e5);
  EXPECT_EQ(config.rules[0].for_duration, 10min);
  EXPECT_EQ(config.settle.commit_interval, 250ms);
  EXPECT_EQ(config.settle.max_sites, 5U);
  EXPECT_EQ(config.settle.forget_after, 0ms);
}

TEST(AggregatorConfig, MistakesAreSaidAllAtOnce) {
  const auto said = mistakes_of(R"([source.kafka]
brokers = []
topics = ["a/b"]
format = "nosuch"
[store.mysql]
hots = "db"
[store.sqlite]
path = "/x"
[window]
length = "7m"
[pages]
listen = "nowhere"
[mail]
server = "mail"
from = "weir@example.org"
[[rule]]
name = "one"
metric = "requests"
above = 1
below = 2
[[rule]]
name = "one"
metric = "status_share"
above = 0.5
clear = 0.9
[settle]
max_sites = 0
forget_after = "5m"
)");
  for (const char* key :
       {"source.kafka.brokers", "\"a/b\"", "nosuch", "store.mysql.hots: unknown key; did you mean \"host\"?",
        "exactly one of [store.mysql]", "window.length", "pages.listen", "mail.server", "mail.to",
        "rule.metric", "exactly one of above and below", "rule.status_class", "rule.clear", "rule.name",
        "settle.max_sites", "settle.forget_after"})
    EXPECT_THAT(said, HasSubstr(key));
  EXPECT_THAT(said, HasSubstr("aggregator.toml:10: window.length"));
}

TEST(AggregatorConfig, AddressesThatNoMailGoesToAndSharesThatNoneReachesAreSaid) {
  const auto said = mistakes_of(R"([mail]
server = "smtp://mail"
from = "weir"
to = ["ops@example.org", "Ops <ops@example.org>", "a@b>\r\nDATA", "@x"]
[[rule]]
name = "errors"
metric = "status_share"
status_class = "5xx"
above = 5
)");
  EXPECT_THAT(said, HasSubstr("aggregator.toml:3: mail.from: \"weir\" is not a mail address"));
  EXPECT_THAT(said, HasSubstr("aggregator.toml:4: mail.to: \"a@b>"));
  EXPECT_THAT(said, HasSubstr("mail.to: \"@x\""));
  EXPECT_THAT(said, ::testing::Not(::testing::ContainsRegex("\"(Ops <)?ops@example.org>?\" is")));
  EXPECT_THAT(said,
              HasSubstr("aggregator.toml:9: rule.above: 5 is not a share from 0 to 1; write 0.05 for 5 %"));
  EXPECT_THAT(mistakes_of("[mail]\nserver = \"smtp://mail\"\nfrom = \"w@e\"\nto = []\n"),
              HasSubstr("mail.to: is empty"));
}

TEST(AggregatorConfig, WithoutSourceOrStoreIsSaid) {
  const auto said = mistakes_of("[pages]\nlisten = \"127.0.0.1:1\"\n");
  EXPECT_THAT(said, HasSubstr("[source.kafka]"));
  EXPECT_THAT(said, HasSubstr("[store.sqlite]"));
}

TEST(AggregatorConfig, ASingleBoxNeedsNeitherSourceNorStore) {
  const auto parse_local = [](std::string_view text) {
    return parse_aggregator_config(ConfigFile::from_text(text, "rules.toml"), ConfigPurpose::kLocal);
  };
  const auto loaded = parse_local(R"([format.day]
regex = '^(?P<remote_addr>\S+) \[(?P<time_local>[^\]]+)\] (?P<status>\d+)$'
[[rule]]
name = "busy"
metric = "requests_per_second"
above = 1
)");
  for (const auto& mistake : loaded.mistakes) ADD_FAILURE() << mistake.text();
  EXPECT_EQ(loaded.config.rules.size(), 1U);
  EXPECT_EQ(loaded.config.formats.count("day"), 1U);
  EXPECT_FALSE(parse_local("[source.kafka]\nborkers = []\n").mistakes.empty()) << "mistakes stay mistakes";
}

}  // namespace
}  // namespace weir
