// Writes a program's man page from the text of its --help, so that there is one text for both.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace weir {

// roff with the man macros (man(7)). Hidden options and groups are left out.
[[nodiscard]] std::string man_page(CLI::App& app, const std::string& version);

}  // namespace weir
