// "Did you mean": the word that a misspelt one is closest to. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir {

// "" when no word is close enough (Damerau-Levenshtein distance, at most a third of the length). Letter
// case does not count.
[[nodiscard]] std::string nearest(std::string_view word, const std::vector<std::string>& words);

}  // namespace weir
