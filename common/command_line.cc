#include "common/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <vector>

#include "common/exit_codes.h"
#include "common/man_page.h"
#include "common/nearest.h"

namespace weir {
namespace {

std::string path_of(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : path_of(*app.get_parent()) + " " + app.get_name();
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::vector<std::string> command_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(command->get_name());
  return names;
}

UnknownWord describe(const CLI::App& app, const std::string& word) {
  UnknownWord out;
  std::string close;
  if (word.starts_with("-")) {
    const std::string name = word.substr(0, word.find('='));
    out.what = fmt::format("\"{}\" is not an option of {}", name, path_of(app));
    close = nearest(name, option_names(app));
  } else if (const auto commands = command_names(app); !commands.empty()) {
    out.what = fmt::format("\"{}\" is not a command of {}", word, path_of(app));
    close = nearest(word, commands);
  } else {
    out.what = fmt::format("{} takes no argument \"{}\"", path_of(app), word);
  }
  if (!close.empty()) out.hint = fmt::format("did you mean \"{}\"?", close);
  return out;
}

}  // namespace

std::optional<UnknownWord> unknown_word(const CLI::App& app) {
  std::optional<UnknownWord> first;
  for (const std::string& word : app.remaining()) {
    auto unknown = describe(app, word);
    if (!unknown.hint.empty()) return unknown;
    // The options of a misspelt command are unknown too; report the command.
    if (!first || !word.starts_with("-")) first = std::move(unknown);
  }
  for (const CLI::App* command : app.get_subcommands()) {
    auto unknown = unknown_word(*command);
    if (unknown && (!first || !unknown->hint.empty())) first = std::move(unknown);
  }
  return first;
}

std::optional<int> read_command_line(CLI::App& app, const std::string& version, int argc,
                                     const char* const* argv) {
  const std::string full_version = fmt::format("{} {}", app.get_name(), version);
  app.set_version_flag("--version", full_version);
  for (CLI::App* command : app.get_subcommands([](CLI::App*) { return true; }))
    command->set_version_flag("--version", full_version);
  bool man = false;
  app.add_flag("--man", man, "Print the man page")->group("");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& done) {  // CLI11 reports --help and --version as exceptions
    app.exit(done);
    return kExitOk;
  } catch (const CLI::ParseError& error) {
    const auto unknown = unknown_word(app);
    std::string what = unknown ? unknown->what : error.what();
    std::string hint = unknown && !unknown->hint.empty() ? unknown->hint + " " : "";
    hint += fmt::format("{} --help lists commands and options", app.get_name());
    print_error(app.get_name().c_str(), Error{Code::kInvalid, std::move(what), std::move(hint)});
    return kExitUsage;
  }
  if (!man) return std::nullopt;
  fmt::print("{}", man_page(app, version));
  return kExitOk;
}

}  // namespace weir
