// "Did you mean": the known word closest to a misspelt one. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir {

// Returns "" when no word is close enough: the Damerau-Levenshtein distance may be at most a third of the
// length. Case is ignored.
[[nodiscard]] std::string nearest(std::string_view word, const std::vector<std::string>& words);

}  // namespace weir
