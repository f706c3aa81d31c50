// weir-agent check: checks the configuration, the inputs and, with --output, the output before a start.
#include <fmt/format.h>

#include "agent/commands.h"
#include "agent/config.h"
#include "agent/missing_logs.h"
#include "agent/ship/make_output.h"
#include "common/exit_codes.h"
#include "common/text.h"

namespace weir {
namespace {

constexpr const char* kProgram = "weir-agent";
constexpr int kProbeTimeoutMs = 10'000;

int probe(const AgentConfig& config) {
  const auto found = probe_kafka(config.output, config.ship, config.max_line(), kProbeTimeoutMs);
  if (!found) {
    print_error(kProgram, found.error());
    return found.error().code == Code::kInvalid ? kExitConfig : kExitKafka;
  }
  for (const auto& broker : found->brokers) fmt::print("broker {}\n", broker);
  for (const auto& topic : found->topics)
    fmt::print("topic {}: {} partitions, max.message.bytes {}\n", topic.name, topic.partitions,
               topic.max_message_bytes == 0 ? "unknown" : fmt::format("{}", topic.max_message_bytes));
  if (config.output.kafka.ship == Ship::kWindows)
    return kExitOk;  // larger batches are sent in smaller ranges
  const auto room = found->topics.front().max_message_bytes;
  const auto largest = found->largest_batch_bytes;
  if (room != 0 && room < config.output.kafka.max_message_bytes) {
    print_error(
        kProgram,
        Error{
            Code::kInvalid,
            fmt::format("topic {}: the largest batch does not fit: max.message.bytes is {}, "
                        "output.kafka.max_message_bytes {}",
                        config.output.kafka.topic, room, config.output.kafka.max_message_bytes),
            fmt::format("raise max.message.bytes of the topic to {}, or lower output.kafka.max_message_bytes",
                        largest)});
    return kExitKafka;
  }
  if (room == 0) {
    fmt::print("largest batch: {} bytes before compression; whether it fits is not known\n", largest);
  } else if (room >= largest) {
    fmt::print("largest batch: {} bytes before compression: fits\n", largest);
  } else {
    fmt::print(
        "largest batch: {} bytes before compression: fits, unless lines near max_line do not compress\n",
        largest);
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
  for (const auto& input : config.inputs) {
    const auto files = count_files(input);
    fmt::print("input {}: format {}, {} file{} now\n", visible(input.name), visible(input.format), files,
               files == 1 ? "" : "s");
  }
  for (const auto& missing : missing_logs(config)) fmt::print(stderr, "{}: {}\n", kProgram, visible(missing));
  if (config.output.kind == OutputKind::kKafka) {
    const char* shipped = config.output.kafka.ship == Ship::kWindows ? ", ships windows" : "";
    const auto windows = config.output.kafka.ship == Ship::kBoth
                             ? fmt::format(", windows to {}", config.output.kafka.windows_topic)
                             : shipped;
    fmt::print("output: kafka {}, topic {}{}, acks {}, codec {}\n",
               fmt::join(config.output.kafka.brokers, ","), config.output.kafka.topic, windows,
               config.output.kafka.acks, to_string(config.output.codec));
    if (output) return probe(config);
  } else {
    fmt::print("output: {}\n", config.output.kind == OutputKind::kFile ? config.output.file_path
                                                                       : to_string(config.output.kind));
  }
  return kExitOk;
}

}  // namespace weir
