#include "agent/format/time_notation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>

#include "agent/format/compile.h"

namespace weir {
namespace {

constexpr std::string_view kParts = "YymbdHMSLfszaFT";
constexpr std::string_view kNumbers = "YymdHMSLfs";
constexpr std::string_view kSubject = "time";
constexpr std::size_t kMaxNotationBytes = 256;

constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                      "May",       "June",     "July",     "August",
                                                      "September", "October",  "November", "December"};
constexpr std::array<std::string_view, 7> kDays = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                   "Friday", "Saturday", "Sunday"};

bool digit(char c) { return c >= '0' && c <= '9'; }

// Takes 1 to `most` digits, or exactly `most` if `exact`.
bool take_number(std::string_view& text, std::size_t most, bool exact, std::int64_t& value) {
  std::size_t used = 0;
  for (value = 0; used < most && used < text.size() && digit(text[used]); ++used)
    value = value * 10 + (text[used] - '0');
  text.remove_prefix(used);
  return exact ? used == most : used > 0;
}

// Takes one of `words`, in full or as its first three letters. Returns its index, or -1 if none matches.
template <std::size_t kCount>
int take_word(std::string_view& text, const std::array<std::string_view, kCount>& words) {
  for (std::size_t i = 0; i < words.size(); ++i) {
    for (const std::string_view word : {words[i], words[i].substr(0, 3)}) {
      if (!text.starts_with(word)) continue;
      text.remove_prefix(word.size());
      return static_cast<int>(i);
    }
  }
  return -1;
}

// Takes "+0200", "+02:00", "+02" or "Z".
bool take_zone(std::string_view& text, std::int64_t& seconds) {
  seconds = 0;
  if (text.empty()) return false;
  const char sign = text.front();
  text.remove_prefix(1);
  if (sign == 'Z' || sign == 'z') return true;
  std::int64_t hours = 0;
  std::int64_t minutes = 0;
  if ((sign != '+' && sign != '-') || !take_number(text, 2, true, hours)) return false;
  const bool colon = text.size() >= 2 && text[0] == ':' && digit(text[1]);
  if (colon) text.remove_prefix(1);
  if ((colon || (!text.empty() && digit(text[0]))) && !take_number(text, 2, true, minutes)) return false;
  seconds = (hours * 60 + minutes) * 60 * (sign == '-' ? -1 : 1);
  return hours <= 23 && minutes <= 59;
}

std::size_t most_digits(char part) {
  switch (part) {
    case 'Y':
      return 4;
    case 'L':
      return 3;
    case 'f':
      return 9;
    case 's':
      return 11;
    default:
      return 2;
  }
}

// Whether the part is always written with all its digits.
bool fixed_length(char part) { return part == 'Y' || part == 'y' || part == 'L'; }

}  // namespace

struct TimeNotation::Reading {
  std::int64_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ms = 0, zone_s = 0;
  std::int64_t epoch_s = 0;

  // Takes the text of the part. False: the text does not match.
  bool take(const Piece& piece, std::string_view& text) {
    switch (piece.part) {
      case '\0':
        if (text.empty() || text.front() != piece.literal) return false;
        text.remove_prefix(1);
        return true;
      case 'b':
        month = take_word(text, kMonths) + 1;
        return month > 0;
      case 'a':
        return take_word(text, kDays) >= 0;
      case 'z':
        return take_zone(text, zone_s);
      case 'f':
        return take_fraction(text);
      default:
        return take_part_number(piece, text);
    }
  }

  bool take_fraction(std::string_view& text) {
    const std::size_t before = text.size();
    std::int64_t value = 0;
    if (!take_number(text, 9, false, value)) return false;
    std::size_t digits = before - text.size();
    for (; digits > 3; --digits) value /= 10;
    for (; digits < 3; ++digits) value *= 10;
    ms = value;
    return true;
  }

  bool take_part_number(const Piece& piece, std::string_view& text) {
    const bool exact = piece.adjacent || fixed_length(piece.part);
    std::size_t most = most_digits(piece.part);
    if (!exact && most == 2 && !text.empty() && text[0] == ' ') {  // " 6"
      text.remove_prefix(1);
      most = 1;
    }
    std::int64_t value = 0;
    if (!take_number(text, most, exact, value)) return false;
    place(piece.part) = value;
    if (piece.part == 'y') year = value + (value < 70 ? 2000 : 1900);
    return true;
  }

  std::int64_t& place(char part) {
    switch (part) {
      case 'm':
        return month;
      case 'd':
        return day;
      case 'H':
        return hour;
      case 'M':
        return minute;
      case 'S':
        return second;
      case 'L':
        return ms;
      case 's':
        return epoch_s;
      default:
        return year;
    }
  }

  [[nodiscard]] std::optional<std::int64_t> civil_seconds() const {
    const std::chrono::year_month_day date{std::chrono::year{static_cast<int>(year)},
                                           std::chrono::month{static_cast<unsigned>(month)},
                                           std::chrono::day{static_cast<unsigned>(day)}};
    // A leap second is logged as 60 and counts as the start of the next second.
    if (!date.ok() || hour > 23 || minute > 59 || second > 60) return std::nullopt;
    const std::int64_t days = std::chrono::sys_days{date}.time_since_epoch().count();
    return days * 86400 + hour * 3600 + minute * 60 + second - zone_s;
  }
};

bool TimeNotation::has(char part) const {
  return std::any_of(pieces_.begin(), pieces_.end(), [&](const Piece& piece) { return piece.part == part; });
}

Result<void> TimeNotation::add_pieces(std::string_view text) {
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      pieces_.push_back({.literal = text[at]});
      continue;
    }
    const std::size_t percent = at++;
    const char part = at < text.size() ? text[at] : '\0';
    if (part == '%') {
      pieces_.push_back({.literal = '%'});
    } else if (part == '\0' || kParts.find(part) == std::string_view::npos) {
      // Show a multi-byte character as a whole.
      const std::size_t end = std::min(text.find_first_of("% ", at), text.size());
      const std::string_view piece =
          text.substr(percent, static_cast<unsigned char>(part) < 0x80 ? 2 : end - percent);
      return std::unexpected(
          error_at(fmt::format("\"{}\" does not stand for a part of a time", piece), text, percent,
                   "use %Y %y %m %b %d %H %M %S %L %f %s %z %a %F %T, or %% for a %", kSubject));
    } else if (part == 'F' || part == 'T') {
      if (auto added = add_pieces(part == 'F' ? "%Y-%m-%d" : "%H:%M:%S"); !added) return added;
    } else if (has(part)) {
      return std::unexpected(
          error_at(fmt::format("%{} stands twice", part), text, percent, "leave one of them out", kSubject));
    } else {
      const bool number = kNumbers.find(part) != std::string_view::npos;
      if (number && !pieces_.empty() && kNumbers.find(pieces_.back().part) != std::string_view::npos)
        pieces_.back().adjacent = true;
      pieces_.push_back({.part = part});
    }
  }
  return {};
}

// A time needs a day and a time of day, each given exactly once.
Result<void> TimeNotation::check(std::string_view text) const {
  const auto missing = [&](std::string_view what, std::string_view which) {
    return std::unexpected(error_at(fmt::format("no {}", what), text, text.size(),
                                    fmt::format("a time needs {}", which), kSubject));
  };
  const auto twice = [&](char one, char other) {
    return std::unexpected(error_at(fmt::format("both %{} and %{}", one, other), text, text.size(),
                                    "leave one of them out", kSubject));
  };
  if (has('L') && has('f')) return twice('L', 'f');
  if (has('s')) {
    for (const char part : std::string_view("YymbdHMSz"))
      if (has(part)) return twice('s', part);
    return {};
  }
  if (has('Y') && has('y')) return twice('Y', 'y');
  if (has('m') && has('b')) return twice('m', 'b');
  if (!has('Y') && !has('y')) return missing("year", "%Y or %y");
  if (!has('m') && !has('b')) return missing("month", "%m or %b");
  if (!has('d')) return missing("day", "%d");
  if (!has('H') || !has('M')) return missing("time of day", "%H and %M");
  return {};
}

Result<TimeNotation> TimeNotation::compile(std::string_view text, std::string_view zone) {
  TimeNotation out;
  if (text.size() > kMaxNotationBytes)
    return fail(Code::kInvalid, fmt::format("time: a notation of {} bytes", text.size()),
                fmt::format("at most {} are allowed", kMaxNotationBytes));
  if (auto added = out.add_pieces(text); !added) return std::unexpected(added.error());
  if (auto checked = out.check(text); !checked) return std::unexpected(checked.error());
  out.epoch_ = out.has('s');
  if (zone.empty()) return out;
  if (out.has('z') || out.has('s'))
    return fail(Code::kInvalid, "zone: the times name their zone themselves (%z or %s)", "leave zone out");
  if (!take_zone(zone, out.zone_s_) || !zone.empty())
    return fail(Code::kInvalid, "zone: not an offset from UTC", "write it like \"+02:00\"; \"Z\" is UTC");
  return out;
}

std::optional<std::int64_t> TimeNotation::read(std::string_view text) const {
  Reading reading{.zone_s = zone_s_};
  for (const Piece& piece : pieces_)
    if (!reading.take(piece, text)) return std::nullopt;
  if (!text.empty()) return std::nullopt;
  if (epoch_) return reading.epoch_s * 1000 + reading.ms;
  const auto seconds = reading.civil_seconds();
  if (!seconds) return std::nullopt;
  return *seconds * 1000 + reading.ms;
}

}  // namespace weir
