// Aborts when a property does not hold: libFuzzer keeps the input of an abort.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace weir::testing {

inline void require(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "violated: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

}  // namespace weir::testing
