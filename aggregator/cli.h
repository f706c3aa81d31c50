// The command line of weir-aggregator.
#pragma once

namespace weir {

// Parses the arguments and runs the sub-command. Returns an ExitCode.
int run_cli(int argc, char** argv);

}  // namespace weir
