// Text that came from a log, a path or a peer, made safe to show on a terminal.
#pragma once

#include <string>
#include <string_view>

namespace weir {

// Control characters (C0, DEL, C1), the marks that reorder text and bytes that are not UTF-8
// become "\x1b", "\u202e": no log and no file name may move a reader's cursor. A newline is
// kept when `keep_newlines`: for sentences of our own that carry a caret line.
[[nodiscard]] std::string visible(std::string_view text, bool keep_newlines = false);

}  // namespace weir
