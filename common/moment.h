// Moments and durations as people, logs and other programs write them, with one grammar for configurations,
// commands, the API and the page. Pure: the time is an argument.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proto/floor_to.h"
#include "proto/result.h"

namespace weir {

// "500ms", "90s", "10m", "2h", "7d", "1h30m", "0". Larger units come before smaller ones.
[[nodiscard]] Result<std::chrono::milliseconds> parse_duration(std::string_view text);
// The inverse of parse_duration: "200ms", "5s", "2h".
[[nodiscard]] std::string duration_text(std::chrono::milliseconds duration);

struct CivilTime {
  int year, month, day, hour, minute, second;
};
// Unix seconds, or nothing when the day or time does not exist. A leap second is logged as 60 and counts as
// the start of the next second.
[[nodiscard]] std::optional<std::int64_t> epoch_seconds(const CivilTime& time, int offset_s);
// Accepts "+0530", "+05:30", "+05", "Z" and "" (UTC). False: the text is not an offset.
[[nodiscard]] bool parse_utc_offset(std::string_view text, int& offset_s);

// ISO 8601 with a time: 2000-10-10T13:55:36[.123][Z|+00:00|+0000|+00]. A space may replace the T; without an
// offset, UTC is assumed. Returns milliseconds since the Unix epoch. Does not allocate.
[[nodiscard]] std::optional<std::int64_t> parse_iso_ms(std::string_view text);

// A moment as a person writes it, in Unix seconds: "now"; "-24h", "now-1h30m" and "-90" (seconds), all before
// `now_s`; Unix seconds; "2026-11-23" (midnight, UTC); "2026-11-23T10:00"; and what parse_iso_ms accepts.
[[nodiscard]] Result<std::int64_t> parse_moment_s(std::string_view text, std::int64_t now_s);
inline constexpr const char* kMomentHint =
    "write 2026-11-23, 2026-11-23T10:00:00Z (or +02:00), -24h for a day ago, now, or Unix seconds";

// "2026-11-23T10:00:00Z". Years beyond 9999 are written as Unix seconds.
[[nodiscard]] std::string iso_text_s(std::int64_t unix_s);
[[nodiscard]] std::string iso_text_ms(std::int64_t unix_ms);  // "2026-11-23T10:00:00.123Z"

}  // namespace weir
