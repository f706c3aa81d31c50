#include "aggregator/reloader.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "aggregator/reload.h"

namespace weir {

Reloader::Reloader(Parts parts, AggregatorConfig running)
    : parts_(std::move(parts)), running_(std::move(running)), state_(parts_.clock.wall_ms()) {}

void Reloader::refuse(const std::vector<std::string>& mistakes) {
  for (const std::string& mistake : mistakes) parts_.say(LogLevel::kError, mistake);
  parts_.say(LogLevel::kError,
             fmt::format("the reload was refused: the old configuration stays in use; correct {} and send "
                         "SIGHUP again",
                         parts_.path));
  state_.refused(parts_.clock.wall_ms(), mistakes.front());
}

void Reloader::reload() {
  auto loaded = load_aggregator_config(parts_.path, parts_.purpose);
  if (!loaded) {
    refuse({loaded.error().sentence()});
    return;
  }
  if (!loaded->mistakes.empty()) {
    std::vector<std::string> mistakes;
    for (const ConfigMistake& mistake : loaded->mistakes) mistakes.push_back(mistake.text());
    refuse(mistakes);
    return;
  }
  ReloadPlan plan = plan_reload(running_, std::move(loaded->config), parts_.used_format);
  parts_.apply(plan.config);
  running_ = std::move(plan.config);
  state_.loaded(parts_.clock.wall_ms());
  parts_.say(LogLevel::kInfo, fmt::format("configuration loaded again from {}", parts_.path));
  if (!plan.needs_restart.empty()) {
    parts_.say(LogLevel::kWarning,
               fmt::format("{} changed and keeps its old value: restart weir-aggregator to use the new one",
                           fmt::join(plan.needs_restart, ", ")));
  }
}

}  // namespace weir
