// The program weir-agent.
#include "agent/cli.h"

int main(int argc, char** argv) { return weir::run_agent_cli(argc, argv); }
