// How the commands print text from a log or a path, in tables and in JSON lines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace weir {

// A JSON string with its quotes. Characters that visible() escapes stay escaped.
[[nodiscard]] std::string json_text(std::string_view text);
// "2026-11-24T10:00:00Z"; "never" for 0.
[[nodiscard]] std::string utc_text(std::int64_t unix_ms);
[[nodiscard]] std::string hex_text(std::string_view bytes);

}  // namespace weir
