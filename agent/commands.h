// The subcommands of weir-agent. Each returns an ExitCode. Results go to stdout, errors and counts to stderr.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "agent/config.h"
#include "agent/core.h"
#include "agent/format/parser.h"
#include "agent/tail/file_system.h"
#include "common/clock.h"
#include "common/kafka_reader.h"
#include "common/log.h"
#include "proto/result.h"

namespace weir {

struct ParseOptions {
  FormatSpec format;
  ClientConfig client;
  std::vector<std::string> files;  // empty: stdin; compressed files are decompressed
};
// Returns kExitNoLineFits if there were lines with data and none of them became a record.
int parse_command(const ParseOptions& options);

struct CatOptions {
  KafkaConnection connection;
  KafkaReadOptions read;
  std::vector<std::string> files;      // files of messages; if not empty, Kafka is not read
  std::optional<std::uint64_t> count;  // the most messages to print
  enum class Show : std::uint8_t { kRecords, kHeaders, kMessages };
  Show show = Show::kRecords;
  bool provenance = false;
};
// Returns kExitInput if a message did not decode. The error goes to stderr, and the next message is printed.
int cat_command(const CatOptions& options);

// Prints a ready-made [[input]] for each access_log. nginx_conf "": the default path of the packages.
int discover_command(const std::string& nginx_conf);

int check_command(const std::string& config_path, bool output);
// `routes`: those of the configuration; empty without one. If there are several, each is printed.
int status_command(const std::string& state_dir, const std::vector<RouteConfig>& routes, bool json);

// What a start would read, and why. Takes no lock and writes nothing, so it may run beside an agent. Errors:
// the registry cannot be read; a format does not compile.
[[nodiscard]] Result<std::vector<PlanLine>> plan_start(const AgentConfig& config, const FileSystem& files,
                                                       const Clock& clock);
int plan_command(const AgentConfig& config, bool json);

// Returns kExitOk once all of `file` is acknowledged, or kExitNotDrained if it is not after `wait`.
int drained_command(const std::string& file, const std::string& state_dir, std::chrono::milliseconds wait);

// Editing the registry by hand. list and export work beside a running agent. The others take its lock
// (kExitLocked while it runs) and change the one source whose id begins with `source`.
int registry_list_command(const std::string& state_dir);
int registry_export_command(const std::string& state_dir);  // JSON lines with every field
int registry_forget_command(const std::string& state_dir, const std::string& source);
// Moving forward records the skipped bytes as a loss. An offset where no line starts is refused.
int registry_set_offset_command(const std::string& state_dir, const std::string& source,
                                std::uint64_t offset);

int run_command(const std::string& config_path, const LogOptions& log_options);

}  // namespace weir
