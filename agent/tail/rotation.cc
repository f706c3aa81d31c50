#include "agent/tail/rotation.h"

#include <charconv>

namespace weir {
namespace {

bool digits(std::string_view text) {
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
  }
  return !text.empty();
}

// "20261123" or "2026-11-23". Eight or ten digits are not always a date.
bool is_date(std::string_view text) {
  if (text.size() == 8 && digits(text)) {
    const int month = (text[4] - '0') * 10 + (text[5] - '0');
    const int day = (text[6] - '0') * 10 + (text[7] - '0');
    return month >= 1 && month <= 12 && day >= 1 && day <= 31;
  }
  return text.size() == 10 && text[4] == '-' && text[7] == '-' && digits(text.substr(0, 4)) &&
         digits(text.substr(5, 2)) && digits(text.substr(8, 2));
}

// The size of the rotation suffix at the end of `name`. 0: none. The suffix is never the whole name.
std::size_t suffix_bytes(std::string_view name) {
  for (const std::string_view ending : {".gz", ".zst", ".bz2"}) {
    if (name.size() > ending.size() && name.ends_with(ending)) return ending.size();
  }
  const auto tail = [&](std::size_t bytes) { return name.substr(name.size() - bytes); };
  // ".1" to ".9999"
  const auto dot = name.rfind('.');
  if (dot != std::string_view::npos && dot > 0) {
    const auto rest = name.substr(dot + 1);
    if (rest.size() <= 4 && digits(rest)) return rest.size() + 1;
  }
  // logrotate's dateext, also with an hour, a number or an epoch.
  for (const std::size_t bytes : {11U, 9U}) {
    if (name.size() > bytes && (tail(bytes)[0] == '-' || (bytes == 11 && tail(bytes)[0] == '.')) &&
        is_date(tail(bytes - 1))) {
      return bytes;
    }
  }
  if (name.size() > 11 && tail(11)[0] == '-' && digits(tail(10))) return 11;  // -EPOCH, -YYYYMMDDHH
  const auto dash = name.rfind('-');
  if (dash != std::string_view::npos && dash >= 10) {
    const auto number = name.substr(dash + 1);
    const auto before = name.substr(0, dash);
    if (number.size() <= 4 && digits(number) && before.size() > 9 && before[before.size() - 9] == '-' &&
        is_date(before.substr(before.size() - 8))) {
      return number.size() + 1 + 9;  // -YYYYMMDD-N
    }
  }
  return 0;
}

// 0: the base name. n: "access.log.n", also compressed. nullopt: rotated, but the name does not show how
// often.
std::optional<std::uint64_t> rotation_of(const std::string& path) {
  const auto family = log_family(path);
  if (family.size() >= path.size()) return 0;
  if (path[family.size()] != '.') return std::nullopt;  // a date
  std::uint64_t number = 0;
  const auto* begin = path.data() + family.size() + 1;
  const auto [end, error] = std::from_chars(begin, path.data() + path.size(), number);
  if (error != std::errc() || number > 9999 || (end != path.data() + path.size() && *end != '.'))
    return std::nullopt;
  return number;
}

}  // namespace

std::string log_family(std::string_view path) {
  const auto slash = path.rfind('/');
  const auto name_begin = slash == std::string_view::npos ? 0 : slash + 1;
  auto name = path.substr(name_begin);
  for (auto bytes = suffix_bytes(name); bytes > 0; bytes = suffix_bytes(name)) name.remove_suffix(bytes);
  return std::string(path.substr(0, name_begin)) + std::string(name);
}

bool less_rotated(const std::string& a, const std::string& b) {
  const auto of_a = rotation_of(a);
  const auto of_b = rotation_of(b);
  return (of_a == 0U && of_b != 0U) || (of_a && of_b && *of_a < *of_b);
}

bool older_generation(const std::string& a, const std::string& b) {
  const auto of_a = rotation_of(a);
  const auto of_b = rotation_of(b);
  const bool live_a = of_a == 0U;
  const bool live_b = of_b == 0U;
  if (live_a || live_b) return live_b && !live_a;
  if (of_a.has_value() != of_b.has_value()) return !of_a.has_value();
  if (of_a && *of_a != *of_b) return *of_a > *of_b;
  return a < b;  // dates
}

}  // namespace weir
