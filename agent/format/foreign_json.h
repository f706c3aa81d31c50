// Prints JSON that another program wrote. Pure.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// If `text` is a JSON object, appends it on one line and escapes characters that are unsafe in a terminal.
// Returns false and appends nothing otherwise.
[[nodiscard]] bool append_foreign_object(std::string& out, std::string_view text);

}  // namespace weir
