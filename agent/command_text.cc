#include "agent/command_text.h"

#include <fmt/format.h>

#include "common/json_text.h"
#include "common/moment.h"
#include "common/text.h"

namespace weir {

std::string json_text(std::string_view text) { return json_string(visible(text)); }

std::string utc_text(std::int64_t unix_ms) {
  if (unix_ms == 0) return "never";
  return iso_text_s(unix_ms / 1000);
}

std::string hex_text(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

}  // namespace weir
