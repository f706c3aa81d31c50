// The name of this machine as gethostname(2) returns it; empty when it has none.
#pragma once

#include <string>

namespace weir {

[[nodiscard]] std::string host_name();

}  // namespace weir
