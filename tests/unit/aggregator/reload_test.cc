// Reloading the aggregator's configuration: all of it or nothing; settings that need a restart are named.
#include "aggregator/reload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <mutex>

#include "aggregator/reloader.h"
#include "tests/unit/temp_folder.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

AggregatorConfig running() {
  AggregatorConfig config;
  config.kafka.emplace();
  config.kafka->brokers = {"k1:9092"};
  config.kafka->topics = {"access"};
  config.mysql.emplace();
  RuleConfig rule;
  rule.name = "busy";
  rule.above = 1;
  config.rules = {rule};
  return config;
}

TEST(PlanReload, WhatDidNotChangeNeedsNothing) {
  const auto plan = plan_reload(running(), running());
  EXPECT_THAT(plan.needs_restart, IsEmpty());
}

TEST(PlanReload, RulesChannelsFormatsAndAddressesAreTaken) {
  AggregatorConfig fresh = running();
  fresh.rules[0].above = 5;
  fresh.channels.mail = MailConfig{.server = "smtp://mail"};
  fresh.kafka->format.kind = FormatSpec::Kind::kJson;
  fresh.formats["day"] = FormatSpec{};
  fresh.public_url = "https://weir.example.org/";
  fresh.settle.forget_after = 24h;
  const auto plan = plan_reload(running(), fresh);
  EXPECT_THAT(plan.needs_restart, IsEmpty());
  EXPECT_EQ(plan.config.rules[0].above, 5);
  EXPECT_EQ(plan.config.channels.mail->server, "smtp://mail");
  EXPECT_EQ(plan.config.kafka->format.kind, FormatSpec::Kind::kJson);
  EXPECT_EQ(plan.config.formats.size(), 1U);
  EXPECT_EQ(plan.config.public_url, "https://weir.example.org/");
  EXPECT_EQ(plan.config.settle.forget_after, 24h);
}

TEST(PlanReload, WhatNeedsARestartIsNamedAndKeepsItsValue) {
  AggregatorConfig fresh = running();
  fresh.rules[0].above = 5;
  fresh.kafka->topics = {"other"};
  fresh.kafka->format.kind = FormatSpec::Kind::kJson;
  fresh.mysql->host = "db2";
  fresh.pages_listen = "127.0.0.1:9";
  fresh.window = 300s;
  fresh.settle.max_sites = 7;
  const auto plan = plan_reload(running(), fresh);
  EXPECT_THAT(plan.needs_restart, ElementsAre("source.kafka", "store.mysql", "window.length", "pages.listen",
                                              "settle.max_sites"));
  EXPECT_THAT(plan.config.kafka->topics, ElementsAre("access"));
  EXPECT_EQ(plan.config.kafka->format.kind, FormatSpec::Kind::kJson) << "a format needs no restart";
  EXPECT_EQ(plan.config.mysql->host, MysqlConfig{}.host);
  EXPECT_EQ(plan.config.pages_listen, running().pages_listen);
  EXPECT_EQ(plan.config.window, 60s);
  EXPECT_EQ(plan.config.settle.max_sites, SettleConfig{}.max_sites);
  EXPECT_EQ(plan.config.rules[0].above, 5) << "the rest is taken";
}

TEST(PlanReload, AnotherStoreIsTwoChanges) {
  AggregatorConfig fresh = running();
  fresh.mysql.reset();
  fresh.sqlite_path = "/x";
  const auto plan = plan_reload(running(), fresh);
  EXPECT_THAT(plan.needs_restart, ElementsAre("store.mysql", "store.sqlite"));
  EXPECT_TRUE(plan.config.mysql);
  EXPECT_EQ(plan.config.sqlite_path, "");
}

// `local --format day` reads its log by it.
TEST(PlanReload, AFormatThatIsInUseNeedsARestart) {
  const FormatSpec json{.kind = FormatSpec::Kind::kJson};
  const FormatSpec w3c{.kind = FormatSpec::Kind::kW3c};
  AggregatorConfig old = running();
  old.formats = {{"day", json}, {"night", json}};
  AggregatorConfig fresh = old;
  EXPECT_THAT(plan_reload(old, fresh, "day").needs_restart, IsEmpty());
  fresh.formats = {{"day", w3c}, {"night", w3c}};
  auto plan = plan_reload(old, fresh, "day");
  EXPECT_THAT(plan.needs_restart, ElementsAre("format.day"));
  EXPECT_EQ(plan.config.formats.at("day"), json);
  EXPECT_EQ(plan.config.formats.at("night"), w3c) << "nothing reads by it";
  EXPECT_THAT(plan_reload(old, fresh).needs_restart, IsEmpty());
  fresh.formats.clear();
  plan = plan_reload(old, fresh, "day");
  EXPECT_THAT(plan.needs_restart, ElementsAre("format.day")) << "dropped from the file";
  EXPECT_EQ(plan.config.formats.at("day"), json);
  fresh.formats = {{"combined", w3c}};
  plan = plan_reload(running(), fresh, "combined");
  EXPECT_THAT(plan.needs_restart, ElementsAre("format.combined")) << "in the place of the known format";
  EXPECT_THAT(plan.config.formats, IsEmpty());
}

class FakeClock : public Clock {
 public:
  std::int64_t now_ms = 1'763'899'500'000;
  [[nodiscard]] std::int64_t wall_ms() const override { return now_ms; }
  [[nodiscard]] std::int64_t steady_ms() const override { return now_ms; }
};

class ReloaderTest : public ::testing::Test {
 protected:
  void write(std::string_view text) { std::ofstream(path_) << text; }
  Reloader start(std::string_view text) {
    write(text);
    auto loaded = load_aggregator_config(path_, ConfigPurpose::kLocal);
    EXPECT_TRUE(loaded.has_value() && loaded->mistakes.empty());
    return Reloader(
        {.path = path_,
         .purpose = ConfigPurpose::kLocal,
         .used_format = "mine",
         .apply = [this](const AggregatorConfig& config) { applied_.push_back(config); },
         .say = [this](LogLevel, std::string_view sentence) { said_ += std::string(sentence) + "\n"; },
         .clock = clock_},
        loaded->config);
  }

  testing::TempFolder folder_;
  std::string path_ = folder_ / "a.toml";
  FakeClock clock_;
  std::vector<AggregatorConfig> applied_;
  std::string said_;
};

constexpr std::string_view kRule = "[[rule]]\nname = \"busy\"\nmetric = \"requests_per_second\"\nabove = 1\n";

TEST_F(ReloaderTest, AGoodFileIsTaken) {
  Reloader reloader = start(kRule);
  EXPECT_EQ(problem_of(reloader.state()), "");
  write(std::string(kRule) + "severity = \"critical\"\n");
  clock_.now_ms += 60'000;
  reloader.reload();
  ASSERT_EQ(applied_.size(), 1U);
  EXPECT_EQ(applied_[0].rules[0].severity, "critical");
  EXPECT_EQ(reloader.state(), (ReloadState{clock_.now_ms, 0, ""}));
  EXPECT_THAT(said_, HasSubstr("configuration loaded again from " + path_));
}

TEST_F(ReloaderTest, AFileWithAMistakeChangesNothingAndSaysWhere) {
  Reloader reloader = start(kRule);
  const std::int64_t loaded_ms = clock_.now_ms;
  write(std::string(kRule) + "abvoe = 2\n[mail]\nserver = \"smtp://m\"\n");
  clock_.now_ms += 60'000;
  reloader.reload();
  EXPECT_THAT(applied_, IsEmpty());
  EXPECT_THAT(said_, HasSubstr("a.toml:5: rule.abvoe: unknown key"));
  EXPECT_THAT(said_, HasSubstr("mail.from")) << "every mistake";
  EXPECT_THAT(said_,
              HasSubstr("the old configuration stays in use; correct " + path_ + " and send SIGHUP again"));
  EXPECT_EQ(reloader.state().loaded_at_ms, loaded_ms);
  EXPECT_EQ(reloader.state().refused_at_ms, clock_.now_ms);
  const std::string problem = problem_of(reloader.state());
  EXPECT_THAT(problem, HasSubstr("the reload at 2025-11-23T12:06:00Z was refused: "));
  EXPECT_THAT(problem, HasSubstr("a.toml:5: rule.abvoe"));
  EXPECT_THAT(problem, HasSubstr("the configuration of 2025-11-23T12:05:00Z stays in use"));
  write(kRule);
  reloader.reload();
  EXPECT_EQ(problem_of(reloader.state()), "") << "corrected";
  EXPECT_EQ(applied_.size(), 1U);
}

TEST_F(ReloaderTest, AFileThatIsGoneChangesNothing) {
  Reloader reloader = start(kRule);
  std::remove(path_.c_str());
  reloader.reload();
  EXPECT_THAT(applied_, IsEmpty());
  EXPECT_TRUE(reloader.state().refused());
  EXPECT_THAT(reloader.state().refused_because, HasSubstr(path_));
}

TEST_F(ReloaderTest, WhatNeedsARestartIsSaidUntilItIsTakenBack) {
  Reloader reloader = start(kRule);
  write(std::string(kRule) + "[window]\nlength = \"5m\"\n");
  reloader.reload();
  EXPECT_THAT(said_, HasSubstr("window.length changed and keeps its old value: restart weir-aggregator"));
  EXPECT_FALSE(reloader.state().refused());
  said_.clear();
  reloader.reload();
  EXPECT_THAT(said_, HasSubstr("window.length changed")) << "it is compared with what runs";
  write(kRule);
  said_.clear();
  reloader.reload();
  EXPECT_THAT(said_, ::testing::Not(HasSubstr("window.length")));
}

TEST_F(ReloaderTest, AFormatThatIsInUseIsNamed) {
  Reloader reloader = start("[format.mine]\njson = true\n");
  write("[format.mine]\nw3c = true\n");
  reloader.reload();
  EXPECT_THAT(said_, HasSubstr("format.mine changed and keeps its old value: restart weir-aggregator"));
  ASSERT_EQ(applied_.size(), 1U);
  EXPECT_EQ(applied_[0].formats.at("mine").kind, FormatSpec::Kind::kJson);
}

}  // namespace
}  // namespace weir
