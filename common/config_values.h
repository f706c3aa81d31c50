// Readers for the value types that both configurations use: choices, addresses, bounded durations and sizes.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/config_table.h"
#include "common/listen.h"
#include "common/moment.h"

namespace weir {

// Reads one of `choices`. Anything else is a mistake whose text names the nearest choice.
[[nodiscard]] std::string read_choice(ConfigTable& table, std::string_view key,
                                      const std::vector<std::string>& choices, std::string_view fallback);
[[nodiscard]] std::chrono::milliseconds read_duration(ConfigTable& table, std::string_view key,
                                                      std::chrono::milliseconds fallback,
                                                      std::chrono::milliseconds min,
                                                      std::chrono::milliseconds max);
[[nodiscard]] std::uint64_t read_size(ConfigTable& table, std::string_view key, std::uint64_t fallback,
                                      std::uint64_t min, std::uint64_t max);
// Reads an address as parse_listen does. With `may_be_off`, "" and false give an empty string.
[[nodiscard]] std::string read_listen(ConfigTable& table, std::string_view key, std::string_view fallback,
                                      bool may_be_off);
inline constexpr std::string_view kTopicRule = "is not a valid topic name; use 1 to 249 of a-z A-Z 0-9 . _ -";
// Kafka's rule: 1 to 249 of a-z A-Z 0-9 . _ -
[[nodiscard]] bool is_topic_name(std::string_view text);
// Not empty, at most `max_bytes`, no control characters.
[[nodiscard]] bool is_plain_text(std::string_view text, std::size_t max_bytes);

}  // namespace weir
