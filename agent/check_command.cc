#include <fmt/format.h>
#include <glob.h>

#include "agent/commands.h"
#include "agent/config.h"
#include "agent/ship/make_output.h"
#include "common/exit_codes.h"
#include "common/visible.h"

namespace weir {
namespace {

constexpr const char* kProgram = "weir-agent";
constexpr int kProbeTimeoutMs = 10'000;

std::size_t count_files(const std::vector<std::string>& globs) {
  std::size_t count = 0;
  for (const auto& pattern : globs) {
    glob_t found{};
    if (::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0) count += found.gl_pathc;
    ::globfree(&found);
  }
  return count;
}

int probe(const AgentConfig& config) {
  const auto found = probe_kafka(config, kProbeTimeoutMs);
  if (!found) {
    print_error(kProgram, found.error());
    return found.error().code == Code::kInvalid ? kExitConfig : kExitKafka;
  }
  for (const auto& broker : found->brokers) fmt::print("broker {}\n", broker);
  fmt::print("topic {}: {} partitions, max.message.bytes {}\n", config.kafka.topic, found->partitions,
             found->max_message_bytes == 0 ? "unknown" : fmt::format("{}", found->max_message_bytes));
  fmt::print("largest batch: {} bytes at most, before compression\n", found->largest_batch_bytes);
  // A batch is bounded by its content; only text that does not compress comes near to it.
  if (found->max_message_bytes != 0 && found->max_message_bytes < config.ship.batch_max_bytes) {
    print_error(kProgram,
                Error{Code::kInvalid,
                      fmt::format("topic {}: its max.message.bytes {} is less than ship.batch_max_bytes {}: "
                                  "a batch of text that does not compress is refused",
                                  config.kafka.topic, found->max_message_bytes, config.ship.batch_max_bytes),
                      fmt::format("raise max.message.bytes of the topic to {}, or lower ship.batch_max_bytes",
                                  found->largest_batch_bytes)});
    return kExitKafka;
  }
  return kExitOk;
}

}  // namespace

int check_command(const std::string& config_path, bool output) {
  const auto loaded = load_agent_config(config_path);
  if (!loaded) {
    print_error(kProgram, loaded.error());
    return kExitConfig;
  }
  for (const auto& mistake : loaded->mistakes) fmt::print(stderr, "{}\n", visible(mistake.text(), true));
  if (!loaded->mistakes.empty()) {
    fmt::print(stderr, "{} mistake{} in {}\n", loaded->mistakes.size(),
               loaded->mistakes.size() == 1 ? "" : "s", config_path);
    return kExitConfig;
  }
  const auto& config = loaded->config;
  for (const auto& input : config.inputs)
    fmt::print("input {}: format {}, {} files now\n", visible(input.name), visible(input.format),
               count_files(input.paths));
  if (config.output == AgentConfig::OutputKind::kKafka) {
    fmt::print("output: kafka {}, topic {}, acks {}, codec {}\n", fmt::join(config.kafka.brokers, ","),
               config.kafka.topic, config.kafka.acks, config.kafka.codec);
    if (output) return probe(config);
  } else {
    fmt::print("output: {}\n",
               config.output == AgentConfig::OutputKind::kStdout ? "stdout" : config.file_output_path);
  }
  return kExitOk;
}

}  // namespace weir
