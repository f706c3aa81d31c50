#include "aggregator/warn/channels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

namespace weir {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

ChannelsConfig both() {
  ChannelsConfig config;
  config.mail = MailConfig{.server = "smtp://mail", .from = "w@x.org", .to = {"a@x.org", "b@x.org"}};
  for (const char* name : {"pager", "chat"}) {
    WebhookConfig webhook;
    webhook.name = name;
    webhook.url = "https://example.org/";
    config.webhooks.push_back(webhook);
  }
  return config;
}

Notice notice(std::string rule, std::optional<std::vector<Destination>> notify = std::nullopt) {
  Notice out;
  out.rule.name = std::move(rule);
  out.rule.above = 1;
  out.rule.notify = std::move(notify);
  out.range = {0, 60, true};
  out.firing = true;
  return out;
}

std::vector<std::string> places(const std::vector<Letter>& letters) {
  std::vector<std::string> out;
  for (const Letter& letter : letters) out.push_back(letter.channel + ":" + letter.address);
  return out;
}

TEST(Channels, ARuleWithoutNotifyGoesEverywhere) {
  const auto letters = write_letters({notice("r")}, both(), "", 9);
  EXPECT_THAT(places(letters), ElementsAre("mail:a@x.org", "mail:b@x.org", "webhook:pager", "webhook:chat"));
  EXPECT_EQ(letters[0].created_ms, 9);
  EXPECT_EQ(letters[3].next_try_ms, 9);
  EXPECT_THAT(letters[0].payload, HasSubstr("[weir] warning r: "));
  EXPECT_THAT(letters[2].payload, HasSubstr("\"rule\":\"r\""));
}

TEST(Channels, NotifyChooses) {
  const auto to = [&](const std::vector<std::string>& names) {
    return places(write_letters({notice("r", read_destinations(names, both()).value())}, both(), "", 9));
  };
  EXPECT_THAT(to({"webhook:chat"}), ElementsAre("webhook:chat"));
  EXPECT_THAT(to({"mail", "mail:a@x.org"}), ElementsAre("mail:a@x.org", "mail:b@x.org"));
  EXPECT_THAT(to({"mail:other@x.org"}), ElementsAre("mail:other@x.org"));
  EXPECT_THAT(to({}), IsEmpty());
}

TEST(Channels, WhatNotifyCannotNameIsSaid) {
  const auto said = [](const std::string& name, const ChannelsConfig& config) {
    const auto read = read_destinations({name}, config);
    return read ? "" : read.error().what;
  };
  EXPECT_THAT(said("sms:1", both()), HasSubstr("does not begin with a channel: mail, webhook"));
  EXPECT_THAT(said("webhook:pagr", both()), HasSubstr("webhook has no such address; it has pager, chat"));
  EXPECT_THAT(said("mail:nobody", both()), HasSubstr("no such address"));
  EXPECT_THAT(said("webhook", ChannelsConfig{}), HasSubstr("the channel is not configured; add [[webhook]]"));
}

TEST(Channels, OnlyMoreThanTenOfOneRuleShareALetter) {
  std::vector<Notice> notices(kGroupAbove, notice("r"));
  const ChannelsConfig config = {.mail = both().mail, .webhooks = {}};
  EXPECT_EQ(write_letters(notices, config, "", 1).size(), 2 * kGroupAbove);
  notices.push_back(notice("r"));
  EXPECT_EQ(write_letters(notices, config, "", 1).size(), 2U);
}

std::string page(const std::string& path) {
  std::ifstream file(std::string(WEIR_SOURCE_DIR) + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Channels, TheReferenceNamesEachMetricAndEachChannel) {
  const std::string rules = page("/docs/reference/rules.md");
  const std::string config = page("/docs/reference/aggregator-config.md");
  for (const MetricRow& row : metrics()) {
    EXPECT_THAT(rules, HasSubstr("`" + std::string(row.name) + "`"));
    EXPECT_THAT(config, HasSubstr("`" + std::string(row.name) + "`"));
  }
  for (const ChannelRow& row : channels()) {
    EXPECT_THAT(rules, HasSubstr("`\"" + std::string(row.name) + "\"`"));
    EXPECT_THAT(config, HasSubstr(std::string(row.name) + "]"));
  }
}

TEST(Metrics, EachNameIsFoundAgain) {
  for (const MetricRow& row : metrics()) {
    EXPECT_EQ(metric_named(row.name), row.metric);
    EXPECT_EQ(row_of(row.metric).name, row.name);
  }
  EXPECT_FALSE(metric_named("requests"));
  EXPECT_EQ(status_class_named("5xx"), 5);
  EXPECT_FALSE(status_class_named("6xx"));
}

TEST(Metrics, ValuesHaveTheirUnits) {
  EXPECT_EQ(row_of(Metric::kBytesPerSecond).text(125'000), "125 kB/s (1 Mbit/s)");
  EXPECT_EQ(row_of(Metric::kStatusShare).text(0.125), "12.5 %");
}

}  // namespace
}  // namespace weir
