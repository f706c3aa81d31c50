#include "agent/format/values.h"

#include <charconv>
#include <cmath>

#include "agent/format/find_byte.h"
#include "common/moment.h"

namespace weir {
namespace {

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

int month_of(std::string_view name) {
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  for (std::size_t i = 0; i < 12; ++i) {
    if (kMonths.substr(i * 3, 3) == name) return static_cast<int>(i) + 1;
  }
  return 0;
}

int hex_value(char c) {
  if (digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// Takes the next element of "a, b : c". False at the end.
bool next_element(std::string_view& rest, std::string_view& element) {
  if (rest.data() == nullptr) return false;
  const std::size_t cut = rest.find_first_of(",:");
  element = trimmed(rest.substr(0, cut));
  rest = cut == std::string_view::npos ? std::string_view{} : rest.substr(cut + 1);
  return true;
}

bool token(std::string_view text) {
  if (text.empty() || text.size() > 64) return false;
  for (const char c : text) {
    if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || digit(c) || c == '-' || c == '_')) return false;
  }
  return true;
}

char* append_utf8(char* to, std::uint32_t code) {
  if (code < 0x80) {
    *to++ = static_cast<char>(code);
  } else if (code < 0x800) {
    *to++ = static_cast<char>(0xC0U | (code >> 6U));
    *to++ = static_cast<char>(0x80U | (code & 0x3FU));
  } else if (code < 0x10000) {
    *to++ = static_cast<char>(0xE0U | (code >> 12U));
    *to++ = static_cast<char>(0x80U | ((code >> 6U) & 0x3FU));
    *to++ = static_cast<char>(0x80U | (code & 0x3FU));
  } else {
    *to++ = static_cast<char>(0xF0U | (code >> 18U));
    *to++ = static_cast<char>(0x80U | ((code >> 12U) & 0x3FU));
    *to++ = static_cast<char>(0x80U | ((code >> 6U) & 0x3FU));
    *to++ = static_cast<char>(0x80U | (code & 0x3FU));
  }
  return to;
}

bool hex4(std::string_view text, std::size_t at, std::uint32_t& code) {
  if (at + 4 > text.size()) return false;
  code = 0;
  for (std::size_t i = at; i < at + 4; ++i) {
    const int value = hex_value(text[i]);
    if (value < 0) return false;
    code = code * 16 + static_cast<std::uint32_t>(value);
  }
  return true;
}

}  // namespace

std::optional<std::int64_t> parse_time_local(std::string_view text) {
  CivilTime t{};
  int offset = 0;
  if (text.size() != 26 || text[2] != '/' || text[6] != '/' || text[11] != ':' || text[14] != ':' ||
      text[17] != ':' || text[20] != ' ' || !digits(text, 0, 2, t.day) || !digits(text, 7, 4, t.year) ||
      !digits(text, 12, 2, t.hour) || !digits(text, 15, 2, t.minute) || !digits(text, 18, 2, t.second) ||
      !parse_utc_offset(text.substr(21), offset)) {
    return std::nullopt;
  }
  t.month = month_of(text.substr(3, 3));
  const auto seconds = epoch_seconds(t, offset);
  if (!seconds) return std::nullopt;
  return *seconds * 1000;
}

std::optional<std::int64_t> parse_time_iso8601(std::string_view text) { return parse_iso_ms(text); }

std::optional<std::int64_t> parse_time_msec(std::string_view text) {
  const auto ms = parse_seconds_as_ms(text);
  if (!ms) return std::nullopt;
  return static_cast<std::int64_t>(*ms);
}

std::optional<std::int64_t> parse_time_epoch(std::string_view text) {
  const std::size_t point = text.find_first_not_of("0123456789");
  if (point == 0) return std::nullopt;
  const std::size_t whole = point == std::string_view::npos ? text.size() : point;
  // Seconds have at most 11 digits until the year 5138. Milliseconds have had at least 12 since 1973.
  if (whole <= 11) return parse_time_msec(text);
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + whole, value);
  if (error != std::errc{} || end != text.data() + whole) return std::nullopt;
  if (point != std::string_view::npos && text[point] != '.') return std::nullopt;
  if (whole > 17)
    value /= 1'000'000;
  else if (whole > 14)
    value /= 1000;
  return static_cast<std::int64_t>(value);
}

std::optional<std::int64_t> parse_time_any(std::string_view text) {
  if (text.size() >= 19 && text[4] == '-') return parse_time_iso8601(text);
  if (text.size() == 26 && text[2] == '/') return parse_time_local(text);
  if (text.size() == 28 && text.front() == '[' && text.back() == ']') {
    return parse_time_local(text.substr(1, 26));
  }
  return parse_time_epoch(text);
}

std::optional<std::uint64_t> parse_any_number(std::string_view text) {
  if (text.empty() || text.size() > 16) return std::nullopt;
  std::uint64_t value = 0;
  for (const char c : text) {
    if (!digit(c)) return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (value > kMaxLogNumber) return std::nullopt;
  return value;
}

std::optional<std::uint64_t> parse_any_seconds(std::string_view text) {
  std::uint64_t value = 0;
  std::size_t i = 0;
  for (; i < text.size() && i < 13 && digit(text[i]); ++i) {
    value = value * 10 + static_cast<std::uint64_t>(text[i] - '0');
  }
  if (i == 0) return std::nullopt;
  value *= 1000;
  if (i == text.size()) return value;
  if (text[i] == '.') {
    std::uint64_t unit = 100;
    const std::size_t first = ++i;
    for (; i < text.size() && digit(text[i]); ++i, unit /= 10) {
      const auto figure = static_cast<std::uint64_t>(text[i] - '0');
      if (unit == 0) {
        value += i == first + 3 && figure >= 5 ? 1 : 0;  // round by the fourth decimal
        while (i < text.size() && digit(text[i])) ++i;
        break;
      }
      value += figure * unit;
    }
    if (i > first && i == text.size()) return value;
    if (i == first) return std::nullopt;
  }
  if (text[i] != 'e' && text[i] != 'E') return std::nullopt;
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  const double ms = std::round(seconds * 1000);
  if (!(ms >= 0 && ms <= static_cast<double>(kMaxLogNumber))) return std::nullopt;
  return static_cast<std::uint64_t>(ms);
}

ListOutcome sum_seconds_list(std::string_view text, std::uint64_t& sum_ms) {
  sum_ms = 0;
  if (const auto only = parse_seconds_as_ms(text); only && *only <= kMaxLogNumber) {
    sum_ms = *only;  // nearly always a single upstream
    return ListOutcome::kValue;
  }
  bool any = false;
  std::string_view element;
  for (std::string_view rest = text; next_element(rest, element);) {
    if (element.empty() || element == "-") continue;
    const auto ms = parse_seconds_as_ms(element);
    if (!ms) return ListOutcome::kInvalid;
    any = true;
    sum_ms += *ms;
    if (sum_ms > kMaxLogNumber) return ListOutcome::kInvalid;
  }
  return any ? ListOutcome::kValue : ListOutcome::kAbsent;
}

ListOutcome last_status(std::string_view text, std::uint64_t& status) {
  ListOutcome outcome = ListOutcome::kAbsent;
  std::string_view element;
  for (std::string_view rest = text; next_element(rest, element);) {
    if (element.empty() || element == "-") {
      outcome = ListOutcome::kAbsent;
      continue;
    }
    const auto value = parse_log_number(element);
    if (!value || *value > 999) return ListOutcome::kInvalid;
    status = *value;
    outcome = ListOutcome::kValue;
  }
  return outcome;
}

namespace {

// The fast path for "GET /path?query HTTP/1.1", the form of nearly all requests. False: leave the text to the
// general code.
bool split_usual_request(std::string_view text, RequestLine& out) {
  constexpr std::size_t kProtocol = 8;  // "HTTP/1.1"
  if (text.size() < 14) return false;
  const std::size_t space = text.starts_with("GET ") ? 3 : 4;
  if (space == 4 && !text.starts_with("POST ") && !text.starts_with("HEAD ")) return false;
  const std::size_t last = text.size() - kProtocol - 1;
  out.protocol = text.substr(last + 1);
  if (text[last] != ' ' || !out.protocol.starts_with("HTTP/") || text[last + 6] == ' ' ||
      text[last + 7] == ' ' || text[last + 8] == ' ') {
    return false;
  }
  const std::string_view uri = text.substr(space + 1, last - space - 1);
  if (uri.empty() || uri.front() == ' ' || uri.back() == ' ') return false;
  out.method = text.substr(0, space);
  split_uri(uri, out.path, out.query);
  return true;
}

}  // namespace

bool split_request(std::string_view text, RequestLine& out) {
  if (split_usual_request(text, out)) return true;
  const auto space =
      static_cast<std::size_t>(find_byte(text.data(), text.data() + text.size(), ' ') - text.data());
  if (space == text.size()) return false;
  out.method = text.substr(0, space);
  if (!token(out.method)) return false;
  std::string_view uri = text.substr(space + 1);
  out.protocol = {};
  const std::size_t last = uri.rfind(' ');
  if (last != std::string_view::npos && uri.substr(last + 1).starts_with("HTTP/")) {
    out.protocol = uri.substr(last + 1);
    uri = uri.substr(0, last);
  }
  while (!uri.empty() && uri.front() == ' ') uri.remove_prefix(1);
  while (!uri.empty() && uri.back() == ' ') uri.remove_suffix(1);
  // Without a protocol, only text that looks like a path counts as HTTP/0.9.
  if (uri.empty() || (out.protocol.empty() && uri.front() != '/')) return false;
  split_uri(uri, out.path, out.query);
  return true;
}

std::string_view unescape_nginx(std::string_view text, Scratch& scratch) {
  char* to = scratch.end();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      if (text[i + 1] == 'x' && i + 3 < text.size()) {
        const int high = hex_value(text[i + 2]);
        const int low = hex_value(text[i + 3]);
        if (high >= 0 && low >= 0) {
          *to++ = static_cast<char>(high * 16 + low);
          i += 3;
          continue;
        }
      } else if (text[i + 1] == '"' || text[i + 1] == '\\') {
        ++i;  // other writers of this format, such as Apache, escape like this
      }
    }
    *to++ = text[i];
  }
  return scratch.take(to);
}

std::string_view unescape_json(std::string_view text, Scratch& scratch) {
  char* to = scratch.end();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      *to++ = text[i];
      continue;
    }
    ++i;
    std::uint32_t code = 0;
    switch (text[i]) {
      case 'n':
        *to++ = '\n';
        break;
      case 't':
        *to++ = '\t';
        break;
      case 'r':
        *to++ = '\r';
        break;
      case 'b':
        *to++ = '\b';
        break;
      case 'f':
        *to++ = '\f';
        break;
      case '"':
      case '\\':
      case '/':
        *to++ = text[i];
        break;
      case 'u':
        if (hex4(text, i + 1, code)) {
          i += 4;
          std::uint32_t low = 0;
          if (code >= 0xD800 && code < 0xDC00 && text.substr(i + 1, 2) == "\\u" && hex4(text, i + 3, low) &&
              low >= 0xDC00 && low < 0xE000) {
            code = 0x10000 + ((code - 0xD800) << 10U) + (low - 0xDC00);
            i += 6;
          }
          if (code >= 0xD800 && code < 0xE000) code = 0xFFFD;  // half of a surrogate pair
          to = append_utf8(to, code);
          break;
        }
        [[fallthrough]];
      default:
        *to++ = '\\';
        *to++ = text[i];
    }
  }
  return scratch.take(to);
}

std::string_view decode_percent(std::string_view text, Scratch& scratch) {
  char* to = scratch.end();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high >= 0 && low >= 0) {
        *to++ = static_cast<char>(high * 16 + low);
        i += 2;
        continue;
      }
    }
    *to++ = text[i];
  }
  return scratch.take(to);
}

}  // namespace weir
