// The sub-commands of weir-agent. Each returns an ExitCode; results go to stdout,
// errors and counts to stderr.
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
  std::vector<std::string> files;  // empty: stdin; compressed ones are decompressed
};
// kExitNoLineFits when there were lines with data and none of them became a record.
int parse_command(const ParseOptions& options);

struct CatOptions {
  KafkaConnection connection;
  KafkaReadOptions read;
  std::vector<std::string> files;      // of messages; not empty: Kafka is not asked
  std::optional<std::uint64_t> count;  // messages, at most
  enum class Show : std::uint8_t { kRecords, kHeaders, kMessages };
  Show show = Show::kRecords;
  bool provenance = false;
};
// kExitInput when a message did not decode: it is said on stderr, and the next one is printed.
int cat_command(const CatOptions& options);

// nginx_conf "": the packaged place. Prints a ready [[input]] for each access_log.
int discover_command(const std::string& nginx_conf);

int check_command(const std::string& config_path, bool output);
int status_command(const std::string& state_dir, bool json);

// What a start would read, and why. Takes no lock and writes nothing, so that it may be asked
// beside a running agent. Errors: the registry cannot be read; a format that does not compile.
[[nodiscard]] Result<std::vector<PlanLine>> plan_start(const AgentConfig& config, const FileSystem& files,
                                                       const Clock& clock);
int plan_command(const AgentConfig& config, bool json);

// kExitOk once all of `file` is acknowledged, kExitNotDrained when it is not after `wait`.
int drained_command(const std::string& file, const std::string& state_dir, std::chrono::milliseconds wait);

// The registry by hand. list and export read beside a running agent; the others take its lock
// (kExitLocked while it runs) and change the one source whose id begins with `source`.
int registry_list_command(const std::string& state_dir);
int registry_export_command(const std::string& state_dir);  // JSON lines with every field
int registry_forget_command(const std::string& state_dir, const std::string& source);
// Forwards records the skipped bytes as a loss; refused where no line starts.
int registry_set_offset_command(const std::string& state_dir, const std::string& source,
                                std::uint64_t offset);

int run_command(const std::string& config_path, const LogOptions& log_options);

}  // namespace weir
