// Recognises a YAML file that was given where TOML is read. Pure.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// What to tell the operator of a file that is not TOML; empty when it does not look like YAML. A TOML file
// with a mistake in it is not taken for YAML: most of its lines still are TOML.
[[nodiscard]] std::string yaml_hint(std::string_view text);

}  // namespace weir
