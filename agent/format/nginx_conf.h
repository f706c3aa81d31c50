// Reads nginx.conf and its includes, and finds which access logs nginx writes and in which formats.
// Pure: files come from a callback.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "proto/result.h"

namespace weir {

struct NginxConfFiles {
  std::function<Result<std::string>(const std::string& path)> read;
  std::function<std::vector<std::string>(const std::string& pattern)> glob;  // sorted
};

struct NginxPlaces {
  std::string log_prefix;   // relative log paths start here
  std::string default_log;  // where nginx writes without any access_log
};

struct NginxLogFormat {
  std::string name;
  std::string text;
  std::string escape = "default";
};

struct NginxAccessLog {
  std::string path;                       // absolute; '*' stands for each variable
  std::string format;                     // a name of `formats`, or "combined"
  std::string condition;                  // the value of if=; empty: every request
  bool compressed = false;                // gzip=: the file grows in whole blocks
  std::vector<std::string> server_names;  // non-empty names of the servers that write to it
  std::string where;                      // "file:line"; empty: nginx's default
};

struct NginxLogs {
  std::vector<NginxLogFormat> formats;
  std::vector<NginxAccessLog> logs;  // one per path and format
  std::vector<std::string> skipped;  // one sentence per log that is not followed, with the reason
};

// Errors name the file and the line.
[[nodiscard]] Result<NginxLogs> read_nginx_conf(const std::string& path, const NginxPlaces& places,
                                                const NginxConfFiles& files);

// The [format.*] and [[input]] tables of agent.toml for these logs.
[[nodiscard]] std::string inputs_toml(const NginxLogs& logs);

}  // namespace weir
