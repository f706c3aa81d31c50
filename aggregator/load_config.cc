#include "aggregator/load_config.h"

#include <fmt/format.h>

#include "common/exit_codes.h"

namespace weir {

std::optional<AggregatorConfig> load_or_print(const std::string& path, ConfigPurpose purpose) {
  auto loaded = load_aggregator_config(path, purpose);
  if (!loaded) {
    print_error(kProgram, loaded.error());
    return std::nullopt;
  }
  for (const ConfigMistake& mistake : loaded->mistakes) {
    print_error(kProgram, Error{Code::kInvalid, mistake.text(), {}});
  }
  if (!loaded->mistakes.empty()) return std::nullopt;
  return std::move(loaded->config);
}

}  // namespace weir
