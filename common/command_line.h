// The part of the command line that both programs share: --version, --man, and messages for mistakes.
#pragma once

#include <CLI/App.hpp>
#include <optional>
#include <string>

namespace weir {

// Adds --version to `app` and its subcommands and --man to `app`, then parses the arguments. Returns an exit
// code when the program has nothing more to do (help, version, man page, a mistake).
[[nodiscard]] std::optional<int> read_command_line(CLI::App& app, const std::string& version, int argc,
                                                   const char* const* argv);

struct UnknownWord {
  std::string what;  // "\"pase\" is not a command"
  std::string hint;  // "did you mean \"parse\"?"; "" when none is close
};
// After parsing: an argument that is not a command or option of `app`, preferring one that resembles a known
// name. nullopt when all arguments are known.
[[nodiscard]] std::optional<UnknownWord> unknown_word(const CLI::App& app);

}  // namespace weir
