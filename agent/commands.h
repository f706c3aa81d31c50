// The sub-commands of weir-agent. Each returns an ExitCode; results go to stdout,
// errors and counts to stderr.
#pragma once

#include <string>
#include <vector>

#include "agent/format/parser.h"

namespace weir {

struct ParseOptions {
  FormatSpec format;
  ClientConfig client;
  std::vector<std::string> files;  // empty: stdin; .gz is decompressed
};
int parse_command(const ParseOptions& options);

// nginx_conf "": the packaged place. Prints a ready [[input]] for each access_log.
int discover_command(const std::string& nginx_conf);

int check_command(const std::string& config_path, bool output);
int status_command(const std::string& state_dir, bool json);
int run_command(const std::string& config_path);

}  // namespace weir
