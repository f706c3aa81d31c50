// The name of this machine, as gethostname gives it; empty when the system has none.
#pragma once

#include <string>

namespace weir {

[[nodiscard]] std::string host_name();

}  // namespace weir
