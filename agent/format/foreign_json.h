// JSON that another program wrote, to be shown. Pure.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// When `text` is a JSON object: appends it in one line, with what a terminal must not see escaped.
// False, and nothing appended: it is none.
[[nodiscard]] bool append_foreign_object(std::string& out, std::string_view text);

}  // namespace weir
