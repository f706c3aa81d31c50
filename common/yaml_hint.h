// Recognises a YAML file that was passed where TOML is expected. Pure.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// What to tell the operator about a file that is not TOML; empty when it does not look like YAML. A TOML file
// with a mistake is not taken for YAML, because most of its lines are still TOML.
[[nodiscard]] std::string yaml_hint(std::string_view text);

}  // namespace weir
