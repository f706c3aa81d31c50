// [format.NAME] tables, which both programs read.
#pragma once

#include <map>
#include <string>

#include "agent/format/parser.h"
#include "common/toml_config.h"

namespace weir {

// Reads and compiles every [format.NAME] of `root`; mistakes carry the compiler's caret line.
[[nodiscard]] std::map<std::string, FormatSpec> read_formats(ConfigTable& root);
// The format that `key` of `table` names: one of `formats`, else a named one. Notes a mistake.
[[nodiscard]] FormatSpec resolve_format(ConfigTable& table, std::string_view key, const std::string& name,
                                        const std::map<std::string, FormatSpec>& formats);

}  // namespace weir
