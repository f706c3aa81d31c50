// `weir-aggregator audit`: the input and output around audit.h.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "aggregator/store/traffic.h"

namespace weir {

struct AuditOptions {
  std::string format = "table";           // "table", "json"
  std::vector<std::string> agent_status;  // files with the output of `weir-agent status --json`
};

// Reads the store and writes to `out`. Returns kExitOk if everything is whole, kExitNotWhole if not, else
// another ExitCode. Errors go to stderr.
int audit_command(const Traffic& store, const AuditOptions& options, std::FILE* out);

}  // namespace weir
