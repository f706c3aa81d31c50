#include "agent/command_text.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

#include "common/visible.h"

namespace weir {

// visible() leaves only the two characters that JSON minds.
std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : visible(text)) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "\"";
}

std::string utc_text(std::int64_t unix_ms) {
  if (unix_ms == 0) return "never";
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(static_cast<std::time_t>(unix_ms / 1000)));
}

std::string hex_text(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

}  // namespace weir
