#include "common/man_page.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>

namespace weir {
namespace {

// A leading '.' or '\'' starts a request, '\' starts an escape, and '-' may become a hyphen that does not
// work when pasted into a shell.
std::string escaped(std::string_view text) {
  std::string out;
  bool line_begins = true;
  for (const char c : text) {
    if (line_begins && (c == '.' || c == '\'')) out += "\\&";
    line_begins = c == '\n';
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
  }
  return out;
}

std::string upper(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::toupper(c); });
  return text;
}

std::string option_text(const CLI::Option& option) {
  const auto takes = option.get_expected_max() > 0 && !option.get_type_name().empty();
  auto text = fmt::format(".TP\n\\fB{}\\fR", escaped(option.get_name(false, true)));
  if (takes) text += fmt::format(" \\fI{}\\fR", escaped(option.get_type_name()));
  if (option.get_required()) text += " (required)";
  text += fmt::format("\n{}", escaped(option.get_description()));
  if (!option.get_default_str().empty())
    text += fmt::format(" (default: {})", escaped(option.get_default_str()));
  return text + "\n";
}

std::string options_text(CLI::App& app) {
  std::string text;
  for (const auto* option : app.get_options()) {
    if (!option->get_group().empty()) text += option_text(*option);
  }
  return text;
}

std::string command_text(CLI::App& command, const std::string& prefix) {
  const auto name = prefix + command.get_name();
  auto text = fmt::format(".SS {}\n{}\n", escaped(name), escaped(command.get_description() + "."));
  text += options_text(command);
  if (!command.get_footer().empty()) text += fmt::format(".PP\n{}\n", escaped(command.get_footer()));
  for (auto* inner : command.get_subcommands({})) text += command_text(*inner, name + " ");
  return text;
}

}  // namespace

std::string man_page(CLI::App& app, const std::string& version) {
  const auto description = app.get_description();
  auto text = fmt::format(".TH {} 1 \"\" \"weir {}\" \"weir\"\n", escaped(upper(app.get_name())), version);
  text += fmt::format(".SH NAME\n{} \\- {}\n", escaped(app.get_name()),
                      escaped(description.substr(0, description.find_first_of(":.("))));
  text +=
      fmt::format(".SH SYNOPSIS\n\\fB{}\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR...]\n", escaped(app.get_name()));
  text += fmt::format(".SH DESCRIPTION\n{}\n.SH OPTIONS\n{}.SH COMMANDS\n", escaped(description),
                      options_text(app));
  for (auto* command : app.get_subcommands({})) text += command_text(*command, "");
  text += fmt::format(".SH EXIT STATUS\n{}\n", escaped(app.get_footer()));
  text +=
      ".SH SEE ALSO\nweir\\-agent(1), weir\\-aggregator(1), and the reference that is installed with "
      "them\n";
  return text;
}

}  // namespace weir
