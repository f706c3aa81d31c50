// Reads [format.NAME] tables, for both programs, and finds formats by name.
#pragma once

#include <map>
#include <string>

#include "agent/format/parser.h"
#include "common/config_table.h"

namespace weir {

// Reads and compiles every [format.NAME] of `root`. Mistakes include the compiler's caret line.
[[nodiscard]] std::map<std::string, FormatSpec> read_formats(ConfigTable& root);
// Returns one of `formats`, or else a row of known.h. Errors: kNotFound; the hint names the closest format,
// or all.
[[nodiscard]] Result<FormatSpec> find_format(const std::string& name,
                                             const std::map<std::string, FormatSpec>& formats);
// The format that `key` of `table` names. Records a mistake if there is none.
[[nodiscard]] FormatSpec resolve_format(ConfigTable& table, std::string_view key, const std::string& name,
                                        const std::map<std::string, FormatSpec>& formats);

}  // namespace weir
