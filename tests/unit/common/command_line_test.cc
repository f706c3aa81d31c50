#include "common/command_line.h"

#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace weir {
namespace {

// A program with a command, options, and sub-commands.
struct Program {
  CLI::App app{"What it does", "weir-x"};
  std::string config;
  bool json = false;
  Program() {
    app.require_subcommand(0, 1);
    auto* run = app.add_subcommand("run", "Run");
    run->add_option("--config", config, "The configuration")->required();
    auto* parse = app.add_subcommand("parse", "Parse");
    parse->add_option("--format", config, "The format");
    auto* registry = app.add_subcommand("registry", "The registry");
    registry->require_subcommand(1);
    registry->add_subcommand("list", "List")->add_flag("--json", json, "As JSON");
    registry->add_subcommand("set-offset", "Set");
  }
};

std::string said(std::vector<const char*> words) {
  Program program;
  words.insert(words.begin(), "weir-x");
  try {
    program.app.parse(static_cast<int>(words.size()), words.data());
  } catch (const CLI::ParseError&) {
    const auto unknown = unknown_word(program.app);
    return unknown ? unknown->what + (unknown->hint.empty() ? "" : "; " + unknown->hint)
                   : "every word is known";
  }
  return "no mistake";
}

TEST(CommandLine, AMisspeltCommandHasAHint) {
  EXPECT_EQ(said({"pase"}), R"("pase" is not a command of weir-x; did you mean "parse"?)");
  EXPECT_EQ(said({"registry", "lst"}), R"("lst" is not a command of weir-x registry; did you mean "list"?)");
  EXPECT_EQ(said({"registry", "set-ofset", "x", "7"}),
            R"("set-ofset" is not a command of weir-x registry; did you mean "set-offset"?)");
  EXPECT_EQ(said({"frobnicate"}), R"("frobnicate" is not a command of weir-x)");
}

TEST(CommandLine, AMisspeltOptionHasAHint) {
  EXPECT_EQ(said({"parse", "--fromat", "json"}),
            R"("--fromat" is not an option of weir-x parse; did you mean "--format"?)");
  EXPECT_EQ(said({"parse", "--fromat=json"}),
            R"("--fromat" is not an option of weir-x parse; did you mean "--format"?)");
  EXPECT_EQ(said({"registry", "list", "--jsno"}),
            R"("--jsno" is not an option of weir-x registry list; did you mean "--json"?)");
  EXPECT_EQ(said({"parse", "--zzzzz"}), R"("--zzzzz" is not an option of weir-x parse)");
}

TEST(CommandLine, ARequiredOptionThatIsMisspeltIsNamed) {
  EXPECT_EQ(said({"run", "--confg", "x"}),
            R"("--confg" is not an option of weir-x run; did you mean "--config"?)");
}

TEST(CommandLine, OptionsOfAMisspeltCommandAreNotTheMistake) {
  EXPECT_EQ(said({"pase", "--format", "json"}),
            R"("pase" is not a command of weir-x; did you mean "parse"?)");
  EXPECT_EQ(said({"frobnicate", "--format"}), R"("frobnicate" is not a command of weir-x)");
}

TEST(CommandLine, OtherMistakesAreNotOfAWord) {
  EXPECT_EQ(said({"run"}), "every word is known");
  EXPECT_EQ(said({"parse", "extra"}), R"(weir-x parse takes no argument "extra")");
}

int exit_code(std::vector<const char*> words) {
  Program program;
  words.insert(words.begin(), "weir-x");
  return read_command_line(program.app, "1.2.3", static_cast<int>(words.size()), words.data()).value_or(-1);
}

TEST(CommandLine, HelpVersionAndTheManPageEndWell) {
  EXPECT_EQ(exit_code({"--help"}), 0);
  EXPECT_EQ(exit_code({"run", "--help"}), 0);
  EXPECT_EQ(exit_code({"--version"}), 0);
  EXPECT_EQ(exit_code({"run", "--version"}), 0);
  EXPECT_EQ(exit_code({"--man"}), 0);
  EXPECT_EQ(exit_code({"pase"}), 2);
  EXPECT_EQ(exit_code({"run", "--config", "x"}), -1);
}

}  // namespace
}  // namespace weir
