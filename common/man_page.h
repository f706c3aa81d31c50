// Generates a program's man page from its --help, so that both share one text.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace weir {

// Returns roff with the man macros (man(7)). Omits hidden options and groups.
[[nodiscard]] std::string man_page(CLI::App& app, const std::string& version);

}  // namespace weir
