// Values of access logs from text: times, durations, lists, escapes. Pure; nothing allocates.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir {

// A number nobody's log exceeds: keeps sums of many of them inside 64 bits.
inline constexpr std::uint64_t kMaxLogNumber = 1ULL << 53;

// Each returns nothing when the text is not exactly such a value.
[[nodiscard]] std::optional<std::int64_t> parse_time_local(
    std::string_view text);  // 10/Oct/2000:13:55:36 -0700
// 2000-10-10T13:55:36[.123][Z|+00:00|+0000|+00]; a space may stand for the T; no zone means UTC.
[[nodiscard]] std::optional<std::int64_t> parse_time_iso8601(std::string_view text);
[[nodiscard]] std::optional<std::int64_t> parse_time_msec(std::string_view text);  // 970000000.123
// A number since the epoch whose unit its size tells: s, ms, us or ns.
[[nodiscard]] std::optional<std::int64_t> parse_time_epoch(std::string_view text);
[[nodiscard]] std::optional<std::int64_t> parse_time_any(std::string_view text);

[[nodiscard]] std::optional<std::uint64_t> parse_log_number(std::string_view text);
[[nodiscard]] std::optional<std::uint64_t> parse_seconds_as_ms(std::string_view text);  // "0.123", "1.5e-3"

enum class ListOutcome { kValue, kAbsent, kInvalid };
// "0.1, 0.2 : 0.3", as nginx writes the times of the upstreams it tried. "-" adds nothing.
[[nodiscard]] ListOutcome sum_seconds_list(std::string_view text, std::uint64_t& sum_ms);
// The last one: absent when that upstream gave no answer ("502, -").
[[nodiscard]] ListOutcome last_status(std::string_view text, std::uint64_t& status);

// What stands between the quotes of a request line.
struct RequestLine {
  std::string_view method, path, query, protocol;  // protocol absent: HTTP/0.9
};
// False: it is no request line (TLS bytes, garbage); nothing in `out` is meaningful then.
[[nodiscard]] bool split_request(std::string_view text, RequestLine& out);
void split_uri(std::string_view uri, std::string_view& path, std::string_view& query);

// Memory for the unescaped values of one line. Its room is made before the first value goes in,
// so that views into it stay good; every unescaping shortens.
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

// The scratch must have room for text.size() bytes more.
[[nodiscard]] std::string_view unescape_nginx(std::string_view text, Scratch& scratch);  // \xHH \" \\ .
[[nodiscard]] std::string_view unescape_json(std::string_view text, Scratch& scratch);
[[nodiscard]] std::string_view decode_percent(std::string_view text, Scratch& scratch);

}  // namespace weir
