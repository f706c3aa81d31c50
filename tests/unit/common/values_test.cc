// Quantities, suggestions for misspelt words, and text made safe for a terminal.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <tuple>

#include "common/config_table.h"
#include "common/config_values.h"
#include "common/text.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

TEST(Duration, ReadsUnitsAndRefusesTheRest) {
  EXPECT_EQ(parse_duration("200ms").value(), 200ms);
  EXPECT_EQ(parse_duration("5s").value(), 5s);
  EXPECT_EQ(parse_duration("10m").value(), 10min);
  EXPECT_EQ(parse_duration("2h").value(), 2h);
  EXPECT_EQ(parse_duration("7d").value(), 168h);
  for (const char* wrong :
       {"", "5", "s", "-5s", "5 sec", "5S", "1e3s", "99999999999999999999s", "9223372036854775807d", "5s5s"})
    EXPECT_FALSE(parse_duration(wrong).has_value()) << wrong;
  for (const auto value : {0ms, 1ms, 200ms, 1000ms, 90'000ms, 3'600'000ms, 604'800'000ms})
    EXPECT_EQ(parse_duration(duration_text(value)).value(), value) << duration_text(value);
}

TEST(Size, ReadsBinaryAndDecimalUnits) {
  EXPECT_EQ(parse_size("512").value(), 512U);
  EXPECT_EQ(parse_size("64KiB").value(), 65536U);
  EXPECT_EQ(parse_size("1MiB").value(), 1048576U);
  EXPECT_EQ(parse_size("1MB").value(), 1000000U);
  for (const char* wrong :
       {"", "MiB", "-1", "1Mb", "1 MiB ", "0x10", "99999999999999999999", "17179869184GiB"})
    EXPECT_FALSE(parse_size(wrong).has_value()) << wrong;
}

TEST(Nearest, IsATypingMistakeAwayOrNothing) {
  const std::vector<std::string> words = {"brokers", "topic", "acks", "codec"};
  EXPECT_EQ(nearest("broker", words), "brokers");
  EXPECT_EQ(nearest("tpoic", words), "topic");
  EXPECT_EQ(nearest("ACKS", words), "acks");
  EXPECT_EQ(nearest("nonsense", words), "");
  EXPECT_EQ(nearest("", words), "");
  EXPECT_EQ(nearest(std::string(100'000, 'x'), words), "");
}

TEST(Visible, NothingMovesTheReadersCursor) {
  EXPECT_EQ(visible("plain \xC3\xA4"), "plain \xC3\xA4");
  EXPECT_EQ(visible("\x1b[2J\r\n\t\x7f"), "\\x1b[2J\\x0d\\x0a\\x09\\x7f");
  EXPECT_EQ(visible("a\nb", true), "a\nb");
  EXPECT_EQ(visible("\xE2\x80\xAE"
                    "gpj.exe"),
            "\\u202egpj.exe");
  EXPECT_EQ(visible("\xC2\x9B"
                    "31m")
                .find('\xC2'),
            std::string::npos)
      << "C1 controls, too";
  const auto invalid = visible("\xff\xC3");
  EXPECT_EQ(invalid, "\\xff\\xc3");
}

TEST(HostPort, AcceptsWhatABrokerMayBe) {
  for (const char* good : {"kafka1:9092", "[::1]:9092", "kafka1", "10.0.0.1:1"})
    EXPECT_TRUE(is_host_port(good)) << good;
  for (const char* wrong :
       {"", ":9092", "kafka1:", "kafka1:0", "kafka1:70000", "a b:1", "[::1", "kafka1:9092x"})
    EXPECT_FALSE(is_host_port(wrong)) << wrong;
  EXPECT_TRUE(is_topic_name("weir.access-1_x"));
  EXPECT_FALSE(is_topic_name(""));
  EXPECT_FALSE(is_topic_name("a/b"));
  EXPECT_FALSE(is_topic_name(std::string(250, 'x')));
}

TEST(ConfigFile, EveryMistakeWithItsLineAndTheNearestKey) {
  auto file = ConfigFile::from_text("[output]\nbroker = 1\nsize = \"1Mb\"\nname = 5\n[output.inner]\nx = 1\n",
                                    "a.toml");
  {
    auto output = file.root().table("output");
    std::ignore = output.strings("brokers");
    std::ignore = output.size("size", 5);
    std::ignore = output.string("name");
    output.require("topic");
  }
  std::string said;
  for (const auto& mistake : file.finish()) said += mistake.text() + "\n";
  using ::testing::HasSubstr;
  EXPECT_THAT(said, HasSubstr("a.toml:2: output.broker: unknown key; did you mean \"brokers\"?"));
  EXPECT_THAT(said, HasSubstr("a.toml:3: output.size: "));
  EXPECT_THAT(said, HasSubstr("a.toml:4: output.name: "));
  EXPECT_THAT(said, HasSubstr("output.topic"));
  EXPECT_THAT(said, HasSubstr("output.inner"));
}

TEST(ConfigFile, SyntaxErrorsAreMistakesWithALine) {
  auto file = ConfigFile::from_text("a = 1\nb = = 2\n", "a.toml");
  const auto mistakes = file.finish();
  ASSERT_FALSE(mistakes.empty());
  EXPECT_EQ(mistakes.front().line, 2U);
}

TEST(ConfigFile, VariablesOfTheEnvironment) {
  ::setenv("WEIR_TEST_VALUE", "secret", 1);
  ::unsetenv("WEIR_TEST_NOTHING");
  auto file = ConfigFile::from_text(
      "a = \"x${WEIR_TEST_VALUE}y\"\nb = \"$${literal}\"\nc = \"${WEIR_TEST_NOTHING}\"\n", "a.toml");
  EXPECT_EQ(file.root().string("a"), "xsecrety");
  EXPECT_EQ(file.root().string("b"), "${literal}");
  std::ignore = file.root().string("c");
  const auto mistakes = file.finish();
  ASSERT_EQ(mistakes.size(), 1U);
  EXPECT_THAT(mistakes.front().text(), ::testing::HasSubstr("WEIR_TEST_NOTHING"));
  EXPECT_EQ(mistakes.front().line, 3U);
}

TEST(ConfigFile, WhatIsNoKeyIsAMistakeWithItsLine) {
  for (const char* wrong : {"a = 1\n[&x]\n", "a = 1\n[[.]]\n", "a = 1\nb. = 1\n", "a = 1\n\u0402 = 1\n",
                            "a = 1\nb = 2.\u0402\n", "a = 1\n[\xc3\xa9]\n"}) {
    auto file = ConfigFile::from_text(wrong, "a.toml");
    const auto mistakes = file.finish();
    ASSERT_EQ(mistakes.size(), 1U) << wrong;
    EXPECT_THAT(mistakes.front().text(), ::testing::HasSubstr("a.toml:2: not TOML")) << wrong;
  }
}

}  // namespace
}  // namespace weir
