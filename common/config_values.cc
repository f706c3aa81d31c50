#include "common/config_values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <utility>

#include "common/visible.h"

namespace weir {
namespace {

struct HostPort {
  std::string_view host;
  std::optional<std::string_view> port;
};

std::optional<HostPort> split_host_port(std::string_view text) {
  if (text.size() > 300 || std::any_of(text.begin(), text.end(), [](unsigned char c) {
        return c <= ' ' || c == ',' || c == '/' || c >= 0x7f;
      })) {
    return std::nullopt;
  }
  if (text.starts_with('[')) {
    const std::size_t close = text.find(']');
    if (close == std::string_view::npos || close == 1) return std::nullopt;
    const std::string_view rest = text.substr(close + 1);
    if (rest.empty()) return HostPort{text.substr(1, close - 1), std::nullopt};
    if (rest[0] != ':') return std::nullopt;
    return HostPort{text.substr(1, close - 1), rest.substr(1)};
  }
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return HostPort{text, std::nullopt};
  if (text.find(':', colon + 1) != std::string_view::npos) return std::nullopt;  // IPv6 without brackets
  return HostPort{text.substr(0, colon), text.substr(colon + 1)};
}

bool is_port(std::string_view text, unsigned min) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  return error == std::errc{} && end == text.data() + text.size() && port >= min && port <= 65535;
}

std::string size_text(std::uint64_t bytes) {
  for (const auto& [unit, factor] :
       {std::pair{"GiB", 1ULL << 30U}, {"MiB", 1ULL << 20U}, {"KiB", 1ULL << 10U}}) {
    if (bytes != 0 && bytes % factor == 0) return fmt::format("{}{}", bytes / factor, unit);
  }
  return fmt::format("{}", bytes);
}

}  // namespace

std::string duration_text(std::chrono::milliseconds duration) {
  const std::int64_t ms = duration.count();
  using Unit = std::pair<const char*, std::int64_t>;
  for (const auto& [unit, factor] :
       {Unit{"d", 86'400'000}, Unit{"h", 3'600'000}, Unit{"m", 60'000}, Unit{"s", 1000}}) {
    if (ms != 0 && ms % factor == 0) return fmt::format("{}{}", ms / factor, unit);
  }
  return fmt::format("{}ms", ms);
}

std::string read_choice(ConfigTable& table, std::string_view key, const std::vector<std::string>& choices,
                        std::string_view fallback) {
  std::string value = table.text(key, fallback);
  if (value == fallback || std::find(choices.begin(), choices.end(), value) != choices.end()) return value;
  const std::string near = nearest(value, choices);
  table.mistake(key, fmt::format("\"{}\" is not one of \"{}\"{}", value, fmt::join(choices, "\", \""),
                                 near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near)));
  return std::string(fallback);
}

std::chrono::milliseconds read_duration(ConfigTable& table, std::string_view key,
                                        std::chrono::milliseconds fallback, std::chrono::milliseconds min,
                                        std::chrono::milliseconds max) {
  const std::chrono::milliseconds value = table.duration(key, fallback);
  if (value == fallback || (value >= min && value <= max)) return value;
  table.mistake(key, fmt::format("\"{}\" is out of range; it may be \"{}\" to \"{}\"", duration_text(value),
                                 duration_text(min), duration_text(max)));
  return fallback;
}

std::uint64_t read_size(ConfigTable& table, std::string_view key, std::uint64_t fallback, std::uint64_t min,
                        std::uint64_t max) {
  const std::uint64_t value = table.size(key, fallback);
  if (value == fallback || (value >= min && value <= max)) return value;
  table.mistake(key, fmt::format("\"{}\" is out of range; it may be \"{}\" to \"{}\"", size_text(value),
                                 size_text(min), size_text(max)));
  return fallback;
}

std::string read_listen(ConfigTable& table, std::string_view key, std::string_view fallback,
                        bool may_be_off) {
  const std::string value = table.text(key, fallback);
  if (may_be_off && (value.empty() || value == "false")) return {};
  const std::optional<HostPort> parts = split_host_port(value);
  if (parts && parts->port && is_port(*parts->port, 0)) return value;
  table.mistake(
      key, fmt::format("\"{}\" is not an address to listen on; write \"{}\", \"[::1]:PORT\" or, for every "
                       "address, \"0.0.0.0:PORT\"{}",
                       value, fallback, may_be_off ? "; \"\" or false turns it off" : ""));
  return std::string(fallback);
}

bool is_host_port(std::string_view text) {
  const std::optional<HostPort> parts = split_host_port(text);
  return parts && !parts->host.empty() && (!parts->port || is_port(*parts->port, 1));
}

bool is_topic_name(std::string_view text) {
  if (text.empty() || text.size() > 249 || text == "." || text == "..") return false;
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  });
}

bool is_plain_text(std::string_view text, std::size_t max_bytes) {
  return !text.empty() && text.size() <= max_bytes && visible(text) == text;
}

}  // namespace weir
