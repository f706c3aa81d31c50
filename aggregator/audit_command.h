// `weir-aggregator audit`: the edge of audit.h.
#pragma once

#include <cstdio>
#include <string>
#include <vector>

#include "aggregator/store/traffic.h"

namespace weir {

struct AuditOptions {
  std::string format = "table";           // "table", "json"
  std::vector<std::string> agent_status;  // files of `weir-agent status --json`
};

// Reads the store, writes to `out`; kExitOk when everything is whole, kExitNotWhole when not, else
// another ExitCode. Errors go to stderr.
int audit_command(const Traffic& store, const AuditOptions& options, std::FILE* out);

}  // namespace weir
