#include "aggregator/warn/page_link.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

namespace weir {
namespace {

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

std::string utc(std::int64_t time_s) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(time_s)));
}

}  // namespace

std::string page_link(std::string_view page_url, const PageView& view) {
  std::string out(page_url);
  const bool has_query = out.find('?') != std::string::npos;
  if (!has_query && !out.ends_with('/')) out += '/';
  char separator = has_query ? '&' : '?';
  const auto add = [&](std::string_view name, const std::string& value) {
    out += separator;
    out.append(name).append("=").append(value);
    separator = '&';
  };
  if (view.from_s) add("from", utc(*view.from_s));
  if (view.to_s) add("to", utc(*view.to_s));
  if (!view.site.empty()) add("site", percent_encoded(view.site));
  if (!view.host.empty()) add("host", percent_encoded(view.host));
  return out;
}

}  // namespace weir
