// Formats times for the API.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>

namespace weir {

// null: never, or unknown.
[[nodiscard]] inline nlohmann::json time_json(std::int64_t time_ms) {
  return time_ms <= 0 ? nlohmann::json(nullptr) : nlohmann::json(time_ms);
}

}  // namespace weir
