// The command line of weir-agent.
#pragma once

namespace weir {

// Returns an ExitCode.
int run_agent_cli(int argc, char** argv);

}  // namespace weir
