// What the command lines of both programs share: --version, --man, and what is said of a mistake in them.
#pragma once

#include <CLI/App.hpp>
#include <optional>
#include <string>

namespace weir {

// Reads the arguments into what `app` was given. Adds --version to it and its sub-commands, and --man.
// A value: the program has nothing more to do and ends with it (help, version, man page, a mistake).
[[nodiscard]] std::optional<int> read_command_line(CLI::App& app, const std::string& version, int argc,
                                                   const char* const* argv);

struct UnknownWord {
  std::string what;  // "\"pase\" is not a command"
  std::string hint;  // "did you mean \"parse\"?"; "" when none is close
};
// After a parse: the word that `app` has no command or option for, one with a close name before others.
// nullopt: every word is known.
[[nodiscard]] std::optional<UnknownWord> unknown_word(const CLI::App& app);

}  // namespace weir
