// The man page of a program, from what its --help says: one text for both.
#pragma once

#include <CLI/App.hpp>
#include <string>

namespace weir {

// roff with the man macros (man(7)). Hidden options and groups are left out.
[[nodiscard]] std::string man_page(CLI::App& app, const std::string& version);

}  // namespace weir
