#include "agent/tail/source_status.h"

#include <array>
#include <utility>

namespace weir {
namespace {

constexpr std::array kWords = {
    std::pair{FileState::kActive, std::string_view("active")},
    std::pair{FileState::kRotated, std::string_view("rotated")},
    std::pair{FileState::kGone, std::string_view("gone")},
    std::pair{FileState::kTroubled, std::string_view("troubled")},
    std::pair{FileState::kTruncated, std::string_view("truncated")},
    std::pair{FileState::kLost, std::string_view("lost")},
};

}  // namespace

std::string_view to_string(FileState state) {
  for (const auto& [known, word] : kWords) {
    if (known == state) return word;
  }
  return "troubled";
}

std::string FileCondition::text() const {
  return state == FileState::kTroubled && !trouble.empty() ? trouble : std::string(to_string(state));
}

FileCondition FileCondition::from_text(std::string text) {
  for (const auto& [state, word] : kWords) {
    if (text == word) return {state, {}};
  }
  return {FileState::kTroubled, std::move(text)};
}

std::uint64_t offset_of(const std::vector<RouteOffset>& routes, std::string_view route,
                        std::uint64_t by_all) {
  for (const auto& [named, offset] : routes) {
    if (named == route) return offset;
  }
  return by_all;
}

}  // namespace weir
