#include "common/reload_state.h"

#include <fmt/format.h>

#include "common/json_text.h"
#include "common/moment.h"
#include "common/text.h"

namespace weir {

void add_reload_state(Exposition& text, const ReloadState& state) {
  text.gauge("config_last_reload_successful", "0: the last reload of the configuration was refused.",
             state.refused() ? 0 : 1);
  text.gauge("config_last_reload_success_timestamp_seconds", "When the configuration in use was loaded.",
             static_cast<double>(state.loaded_at_ms) / 1000.0);
}

std::string reload_json(const ReloadState& state) {
  std::string out = fmt::format("{{\"loaded_at\":\"{}\"", iso_text_s(state.loaded_at_ms / 1000));
  if (state.refused()) {
    out += fmt::format(",\"refused_at\":\"{}\",\"refused_because\":", iso_text_s(state.refused_at_ms / 1000));
    append_json_string(out, visible(state.refused_because));
  }
  return out + "}";
}

std::string problem_of(const ReloadState& state) {
  if (!state.refused()) return {};
  return fmt::format("configuration: the reload at {} was refused: {}; the configuration of {} stays in use",
                     iso_text_s(state.refused_at_ms / 1000), state.refused_because,
                     iso_text_s(state.loaded_at_ms / 1000));
}

}  // namespace weir
