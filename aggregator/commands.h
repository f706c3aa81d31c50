// The sub-commands of weir-aggregator. Each returns an ExitCode. Results go to stdout, errors and progress to
// stderr.
#pragma once

#include <string>
#include <vector>

#include "common/log.h"

namespace weir {

int run_command(const std::string& config_path, const LogOptions& log_options);
int check_command(const std::string& config_path, bool store);

struct LocalOptions {
  std::vector<std::string> logs;  // files and globs
  std::string store_path;         // "": default_store_path()
  std::string format_name;        // a known format, or one defined in config_path; "": log_format, or
                                  // detected
  std::string log_format;         // the string of nginx's log_format directive
  std::string config_path;        // "": no rules, no mail, no formats of its own
  std::string listen;             // "": 127.0.0.1:8080, or any free port
  bool once = false;
};
int local_command(const LocalOptions& options);

// weir.db in $XDG_STATE_HOME if that is set, else in the current directory.
[[nodiscard]] std::string default_store_path();

}  // namespace weir
