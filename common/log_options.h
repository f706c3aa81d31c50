// --log-format and --log-level, identical in both programs.
#pragma once

#include "common/log.h"

namespace CLI {
class App;
}

namespace weir {

// `options` must live until the arguments are parsed.
void add_log_options(CLI::App& command, LogOptions& options);

}  // namespace weir
