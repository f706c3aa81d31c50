#include "common/config_values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "common/text.h"

namespace weir {
namespace {

std::string size_text(std::uint64_t bytes) {
  for (const auto& [unit, factor] :
       {std::pair{"GiB", 1ULL << 30U}, {"MiB", 1ULL << 20U}, {"KiB", 1ULL << 10U}}) {
    if (bytes != 0 && bytes % factor == 0) return fmt::format("{}{}", bytes / factor, unit);
  }
  return fmt::format("{}", bytes);
}

}  // namespace

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
  if (parse_listen(value)) return value;
  table.mistake(
      key, fmt::format("\"{}\" is not an address to listen on; write \"{}\", \"[::1]:PORT\" or, for every "
                       "address, \":PORT\"{}",
                       value, fallback, may_be_off ? "; \"\" or false turns it off" : ""));
  return std::string(fallback);
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
