#include "common/config_mistake.h"

#include <fmt/format.h>

#include "common/text.h"

namespace weir {

std::string ConfigMistake::text() const {
  std::string out = visible(file);
  if (line != 0) out += fmt::format(":{}", line);
  out += ": ";
  if (!key.empty()) out += visible(key) + ": ";
  return out + visible(what, true);
}

}  // namespace weir
