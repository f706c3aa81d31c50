// Makes names that strangers wrote (host names, paths, agent ids) fit to be keys.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir {

// At most `max_bytes`, cut between characters. Control characters and bytes that are not UTF-8 become '?'
// (MySQL refuses a row with such bytes).
[[nodiscard]] std::string clean_text(std::string_view text, std::size_t max_bytes);

inline constexpr std::size_t kMaxNameBytes = 255;  // host, agent id, input
inline constexpr std::size_t kMaxPathBytes = 1024;

}  // namespace weir
