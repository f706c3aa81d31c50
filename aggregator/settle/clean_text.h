// Length limits for names that come from outside (host names, paths, agent ids) and become keys.
#pragma once

#include <cstddef>

#include "common/text.h"

namespace weir {

inline constexpr std::size_t kMaxNameBytes = 255;  // host, agent id, input
inline constexpr std::size_t kMaxPathBytes = 1024;

}  // namespace weir
