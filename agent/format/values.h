// Parses the values of access logs: times, durations, lists, escapes. Pure. Nothing allocates.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "agent/format/find_byte.h"

namespace weir {

// No log has larger numbers. The limit keeps sums of many numbers within 64 bits.
inline constexpr std::uint64_t kMaxLogNumber = 1ULL << 53;

// Each returns nullopt if the text is not exactly one such value.
[[nodiscard]] std::optional<std::int64_t> parse_time_local(
    std::string_view text);  // 10/Oct/2000:13:55:36 -0700
// 2000-10-10T13:55:36[.123][Z|+00:00|+0000|+00]; a space may stand for the T; no zone means UTC.
[[nodiscard]] std::optional<std::int64_t> parse_time_iso8601(std::string_view text);
[[nodiscard]] std::optional<std::int64_t> parse_time_msec(std::string_view text);  // 970000000.123
// A number since the epoch. Its magnitude gives the unit: s, ms, us or ns.
[[nodiscard]] std::optional<std::int64_t> parse_time_epoch(std::string_view text);
[[nodiscard]] std::optional<std::int64_t> parse_time_any(std::string_view text);

// Numbers of up to eight characters, which are nearly all in a log, are read as one word: one byte per digit,
// with the last digit in the highest byte. On big-endian processors the general code reads all numbers.
inline constexpr bool kNumbersAsWords = std::endian::native == std::endian::little;

// `text` has 1 to 8 bytes and is padded with leading '0's. Reads nothing beyond `text`.
[[nodiscard]] inline std::uint64_t number_word(std::string_view text) {
  const auto size = text.size();
  std::uint64_t word = 0;
  if (size >= 4) {
    std::uint32_t first = 0;
    std::uint32_t last = 0;  // some of its bytes may also be in `first`
    std::memcpy(&first, text.data(), 4);
    std::memcpy(&last, text.data() + size - 4, 4);
    word = first | std::uint64_t{last} << 8 * (size - 4);
  } else {
    const auto byte = [&](std::size_t i) {
      return std::uint64_t{static_cast<unsigned char>(text[i])} << 8 * i;
    };
    word = byte(0) | byte(size / 2) | byte(size - 1);
  }
  const auto missing = 8 * (8 - size);
  return word << missing | (0x3030303030303030 & ((std::uint64_t{1} << missing) - 1));
}
[[nodiscard]] inline bool all_digits(std::uint64_t word) {
  constexpr std::uint64_t kHigh = 0xF0F0F0F0F0F0F0F0;
  // '0' to '9' are 0x30 to 0x39. Their high nibble stays 3 when 6 is added.
  return ((word & kHigh) | ((word + 0x0606060606060606) & kHigh) >> 4U) == 0x3333333333333333;
}
// The value of eight digits, which are combined in pairs, then in pairs of pairs.
[[nodiscard]] inline std::uint64_t number_of_digits(std::uint64_t word) {
  word = (word & 0x0F0F0F0F0F0F0F0F) * (10 * 256 + 1) >> 8U;
  word = (word & 0x00FF00FF00FF00FF) * (100 * 65536 + 1) >> 16U;
  return (word & 0x0000FFFF0000FFFF) * (10000 * (std::uint64_t{1} << 32U) + 1) >> 32U;
}

// Each returns false if the text is not such a number or must be left to the general code.
[[nodiscard]] inline bool short_number(std::string_view text, std::uint64_t& value) {
  if (!kNumbersAsWords || text.size() - 1 >= 8) return false;
  const auto word = number_word(text);
  value = number_of_digits(word);
  return all_digits(word);
}
// Times as nginx writes them, with three decimals. With the point removed, the digits are milliseconds.
[[nodiscard]] inline bool short_seconds(std::string_view text, std::uint64_t& ms) {
  if (!kNumbersAsWords || text.size() - 5 >= 4 || text[text.size() - 4] != '.') return false;
  const auto word = number_word(text);
  const auto digits = (word & 0xFFFFFF0000000000) | (word & 0x00000000FFFFFFFF) << 8U | 0x30;
  ms = number_of_digits(digits);
  return all_digits(digits);
}
[[nodiscard]] std::optional<std::uint64_t> parse_any_number(std::string_view text);
[[nodiscard]] inline std::optional<std::uint64_t> parse_log_number(std::string_view text) {
  std::uint64_t value = 0;
  return short_number(text, value) ? value : parse_any_number(text);
}
[[nodiscard]] std::optional<std::uint64_t> parse_any_seconds(std::string_view text);
// "0.123", "1.5e-3"
[[nodiscard]] inline std::optional<std::uint64_t> parse_seconds_as_ms(std::string_view text) {
  std::uint64_t ms = 0;
  return short_seconds(text, ms) ? ms : parse_any_seconds(text);
}

enum class ListOutcome { kValue, kAbsent, kInvalid };
// Sums "0.1, 0.2 : 0.3", as nginx writes the times of the upstreams it tried. "-" adds nothing.
[[nodiscard]] ListOutcome sum_seconds_list(std::string_view text, std::uint64_t& sum_ms);
// The last status. It is absent if that upstream gave no answer ("502, -").
[[nodiscard]] ListOutcome last_status(std::string_view text, std::uint64_t& status);

// The text between the quotes of a request line.
struct RequestLine {
  std::string_view method, path, query, protocol;  // protocol absent: HTTP/0.9
};
// False: not a request line but TLS bytes or garbage, for example. `out` is then meaningless.
[[nodiscard]] bool split_request(std::string_view text, RequestLine& out);
inline void split_uri(std::string_view uri, std::string_view& path, std::string_view& query) {
  const char* const begin = uri.data();
  const char* const end = begin + uri.size();
  const char* const mark = find_byte(begin, end, '?');
  path = {begin, mark};
  query = {};
  if (end - mark > 1) query = {mark + 1, end};
}

// Memory for the unescaped values of one line. It is allocated before the first value, so that views of it
// stay valid. Unescaping never lengthens a value.
class Scratch {
 public:
  void begin(std::size_t line_bytes) {
    if (room_.size() < line_bytes) room_.resize(line_bytes + line_bytes / 2);
    used_ = 0;
  }
  [[nodiscard]] char* end() { return room_.data() + used_; }
  [[nodiscard]] std::string_view take(const char* to) {
    const std::string_view value(room_.data() + used_, static_cast<std::size_t>(to - room_.data()) - used_);
    used_ += value.size();
    return value;
  }

 private:
  std::string room_;
  std::size_t used_ = 0;
};

// `scratch` must have room for another text.size() bytes.
[[nodiscard]] std::string_view unescape_nginx(std::string_view text, Scratch& scratch);  // \xHH \" \\ .
[[nodiscard]] std::string_view unescape_json(std::string_view text, Scratch& scratch);
[[nodiscard]] std::string_view decode_percent(std::string_view text, Scratch& scratch);

}  // namespace weir
