#include "common/man_page.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <CLI/CLI.hpp>

namespace weir {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(ManPage, HasEveryCommandAndOptionThatIsNotHidden) {
  CLI::App app("Does it: well", "weir-x");
  std::string text;
  bool flag = false;
  app.footer("Exit codes: 0 done");
  app.add_flag("--hidden", flag, "Not shown")->group("");
  auto* run = app.add_subcommand("run", "Runs it");
  run->add_option("--config", text, "The configuration")->required()->type_name("FILE");
  auto* inner = run->add_subcommand("inner", "Within");
  inner->add_option("--level", text, "How much")->type_name("N");
  const auto page = man_page(app, "1.2.3");
  EXPECT_THAT(page, HasSubstr(".TH WEIR\\-X 1 \"\" \"weir 1.2.3\""));
  EXPECT_THAT(page, HasSubstr("weir\\-x \\- Does it\n"));
  EXPECT_THAT(page, HasSubstr(".SS run\nRuns it.\n"));
  EXPECT_THAT(page, HasSubstr("\\fB\\-\\-config\\fR \\fIFILE\\fR (required)\nThe configuration\n"));
  EXPECT_THAT(page, HasSubstr(".SS run inner\n"));
  EXPECT_THAT(page, HasSubstr(".SH EXIT STATUS\nExit codes: 0 done\n"));
  EXPECT_THAT(page, Not(HasSubstr("hidden")));
}

TEST(ManPage, TextIsNeverTakenForARequest) {
  CLI::App app("Reads", "weir-x");
  app.add_subcommand("run", ".so /etc/passwd\n'x and C:\\n");
  const auto page = man_page(app, "1");
  EXPECT_THAT(page, HasSubstr("\\&.so /etc/passwd\n\\&'x and C:\\en."));
}

}  // namespace
}  // namespace weir
