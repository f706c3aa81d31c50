#include "common/moment.h"

#include <fmt/format.h>

#include <charconv>
#include <limits>
#include <utility>

#include "common/text.h"

namespace weir {
namespace {

constexpr std::int64_t kYear10000 = 253'402'300'800;
constexpr std::int64_t kYear1 = -62'135'596'800;

struct Unit {
  std::string_view name;
  std::int64_t ms;
};
constexpr Unit kUnits[] = {{"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}};

bool digit(char c) { return c >= '0' && c <= '9'; }

// Reads exactly `count` digits at `at`.
bool digits(std::string_view text, std::size_t at, std::size_t count, int& value) {
  if (at + count > text.size()) return false;
  value = 0;
  for (std::size_t i = at; i < at + count; ++i) {
    if (!digit(text[i])) return false;
    value = value * 10 + (text[i] - '0');
  }
  return true;
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Takes a number and its unit ("90 s") off the front. The unit must be at or after `unit`, which then moves
// past it.
std::optional<std::int64_t> take_part(std::string_view& text, const Unit*& unit) {
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  while (text.starts_with(' ')) text.remove_prefix(1);
  std::size_t letters = 0;
  while (letters < text.size() && text[letters] >= 'a' && text[letters] <= 'z') ++letters;
  for (; unit != std::end(kUnits); ++unit) {
    if (unit->name != text.substr(0, letters)) continue;
    if (count > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max() / unit->ms))
      return std::nullopt;
    text.remove_prefix(letters);
    return static_cast<std::int64_t>(count) * (unit++)->ms;
  }
  return std::nullopt;
}

std::optional<std::int64_t> duration_ms(std::string_view text) {
  if (text == "0") return 0;
  std::int64_t sum = 0;
  const Unit* unit = std::begin(kUnits);
  do {
    const auto part = take_part(text, unit);
    if (!part || *part > std::numeric_limits<std::int64_t>::max() - sum) return std::nullopt;
    sum += *part;
  } while (!text.empty());
  return sum;
}

// A date alone, or a time without seconds; an offset may follow.
std::optional<std::int64_t> short_iso_s(std::string_view text) {
  std::string whole(text);
  if (text.size() == 10 || (text.size() == 11 && text.back() == 'Z')) {
    whole.insert(10, "T00:00:00");
  } else if (text.size() >= 16 && (text.size() == 16 || text[16] != ':')) {
    whole.insert(16, ":00");
  }
  const auto ms = parse_iso_ms(whole);
  if (!ms) return std::nullopt;
  return floor_to(*ms, 1000) / 1000;
}

}  // namespace

Result<std::chrono::milliseconds> parse_duration(std::string_view text) {
  if (const auto ms = duration_ms(text)) return std::chrono::milliseconds(*ms);
  return fail(Code::kInvalid, fmt::format("\"{}\" is not a duration", visible(text.substr(0, 64))),
              "write whole numbers and units: \"200ms\", \"5s\", \"10m\", \"1h30m\", \"7d\"");
}

std::string duration_text(std::chrono::milliseconds duration) {
  const std::int64_t ms = duration.count();
  for (const auto& unit : kUnits) {
    if (ms != 0 && ms % unit.ms == 0) return fmt::format("{}{}", ms / unit.ms, unit.name);
  }
  return "0ms";
}

std::optional<std::int64_t> epoch_seconds(const CivilTime& time, int offset_s) {
  const std::chrono::year_month_day date{std::chrono::year{time.year},
                                         std::chrono::month{static_cast<unsigned>(time.month)},
                                         std::chrono::day{static_cast<unsigned>(time.day)}};
  if (!date.ok() || time.hour > 23 || time.minute > 59 || time.second > 60) return std::nullopt;
  const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
  return days * 86400 + time.hour * 3600 + time.minute * 60 + time.second - offset_s;
}

bool parse_utc_offset(std::string_view text, int& offset_s) {
  offset_s = 0;
  if (text.empty() || text == "Z" || text == "z") return true;
  if (text[0] != '+' && text[0] != '-') return false;
  int hours = 0;
  int minutes = 0;
  if (!digits(text, 1, 2, hours)) return false;
  if (text.size() > 3) {
    const std::size_t at = text[3] == ':' ? 4 : 3;
    if (!digits(text, at, 2, minutes) || text.size() != at + 2) return false;
  }
  if (hours > 23 || minutes > 59) return false;
  offset_s = (hours * 60 + minutes) * 60;
  if (text[0] == '-') offset_s = -offset_s;
  return true;
}

std::optional<std::int64_t> parse_iso_ms(std::string_view text) {
  CivilTime t{};
  if (text.size() < 19 || text[4] != '-' || text[7] != '-' ||
      (text[10] != 'T' && text[10] != ' ' && text[10] != 't') || text[13] != ':' || text[16] != ':' ||
      !digits(text, 0, 4, t.year) || !digits(text, 5, 2, t.month) || !digits(text, 8, 2, t.day) ||
      !digits(text, 11, 2, t.hour) || !digits(text, 14, 2, t.minute) || !digits(text, 17, 2, t.second)) {
    return std::nullopt;
  }
  std::size_t at = 19;
  int ms = 0;
  if (at < text.size() && (text[at] == '.' || text[at] == ',')) {
    int unit = 100;
    const std::size_t first = ++at;
    for (; at < text.size() && digit(text[at]); ++at, unit /= 10) ms += (text[at] - '0') * unit;
    if (at == first) return std::nullopt;
  }
  if (at < text.size() && text[at] == ' ') ++at;
  int offset_s = 0;
  if (!parse_utc_offset(text.substr(at), offset_s)) return std::nullopt;
  const auto seconds = epoch_seconds(t, offset_s);
  if (!seconds) return std::nullopt;
  return *seconds * 1000 + ms;
}

Result<std::int64_t> parse_moment_s(std::string_view text, std::int64_t now_s) {
  std::optional<std::int64_t> out;
  const std::string_view before = text.starts_with("now-") ? text.substr(3) : text;
  if (text == "now") {
    out = now_s;
  } else if (before.starts_with('-')) {
    const auto span = before.substr(1);
    if (const auto ms = duration_ms(span)) {
      out = now_s - *ms / 1000;
    } else if (const auto seconds = whole_number(span); seconds && *seconds >= 0 && *seconds <= kYear10000) {
      out = now_s - *seconds;
    }
  } else if (const auto seconds = whole_number(text)) {
    out = seconds;
  } else if (text.size() >= 10 && text.size() <= 64) {
    out = short_iso_s(text);
  }
  if (out && *out >= -kYear10000 && *out <= kYear10000) return *out;
  return fail(Code::kInvalid, fmt::format("\"{}\" is not a time", visible(text.substr(0, 64))), kMomentHint);
}

std::string iso_text_s(std::int64_t unix_s) {
  std::string out = iso_text_ms(unix_s * 1000);
  if (out.size() == 24) out.replace(19, 5, "Z");
  return out;
}

std::string iso_text_ms(std::int64_t unix_ms) {
  using std::chrono::milliseconds;
  if (unix_ms < kYear1 * 1000 || unix_ms >= kYear10000 * 1000) return fmt::format("{}", unix_ms / 1000);
  const std::chrono::sys_time<milliseconds> time{milliseconds{unix_ms}};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{time - day};
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count(),
                     clock.subseconds().count());
}

}  // namespace weir
