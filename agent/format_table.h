// [format.NAME] tables, which both programs read, and formats by name.
#pragma once

#include <map>
#include <string>

#include "agent/format/parser.h"
#include "common/config_table.h"

namespace weir {

// Reads and compiles every [format.NAME] of `root`; mistakes carry the compiler's caret line.
[[nodiscard]] std::map<std::string, FormatSpec> read_formats(ConfigTable& root);
// One of `formats`, else a row of known.h. Errors: kNotFound; the hint names the closest one, or all.
[[nodiscard]] Result<FormatSpec> find_format(const std::string& name,
                                             const std::map<std::string, FormatSpec>& formats);
// The format that `key` of `table` names. Notes a mistake when there is none.
[[nodiscard]] FormatSpec resolve_format(ConfigTable& table, std::string_view key, const std::string& name,
                                        const std::map<std::string, FormatSpec>& formats);

}  // namespace weir
