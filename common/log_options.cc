#include "common/log_options.h"

#include <CLI/CLI.hpp>
#include <map>
#include <string>

namespace weir {

void add_log_options(CLI::App& command, LogOptions& options) {
  static const std::map<std::string, LogFormat> kFormats = {{"text", LogFormat::kText},
                                                            {"json", LogFormat::kJson}};
  static const std::map<std::string, LogLevel> kLevels = {{"debug", LogLevel::kDebug},
                                                          {"info", LogLevel::kInfo},
                                                          {"warning", LogLevel::kWarning},
                                                          {"error", LogLevel::kError}};
  command
      .add_option_function<std::string>(
          "--log-format", [&options](const std::string& name) { options.format = kFormats.at(name); },
          "How log lines are written to stderr: text or json")
      ->type_name("FORMAT")
      ->check(CLI::IsMember(kFormats));
  command
      .add_option_function<std::string>(
          "--log-level", [&options](const std::string& name) { options.level = kLevels.at(name); },
          "The least that is logged: debug, info, warning or error")
      ->type_name("LEVEL")
      ->check(CLI::IsMember(kLevels));
}

}  // namespace weir
