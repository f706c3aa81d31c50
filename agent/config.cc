#include "agent/config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "agent/format_table.h"
#include "common/config_values.h"
#include "common/host_name.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

// Consumers refuse a batch with more than 256 fields.
constexpr std::size_t kMaxInputFields = 64;
constexpr std::size_t kMaxInputFieldBytes = 16 << 10;
// Below one line per second the reader would mostly pause.
constexpr std::uint64_t kMinBacklogBytesPerS = 1 << 10;

InputConfig read_input(ConfigTable& table, const std::map<std::string, FormatSpec>& formats) {
  InputConfig input;
  table.require("name");
  table.require("paths");
  input.name = table.string("name");
  input.paths = table.strings("paths");
  if (table.has("paths") && input.paths.empty())
    table.mistake("paths", "is empty; give at least one path or glob");
  for (const auto& path : input.paths) {
    if (!path.starts_with('/'))
      table.mistake("paths",
                    fmt::format("\"{}\" does not begin with \"/\": a daemon has no folder of its own", path));
  }
  input.exclude = table.strings("exclude");
  input.format = table.string("format", kDefaultFormat);
  input.start_at_end = read_choice(table, "start_at", {"beginning", "end"}, "beginning") == "end";
  input.ignore_older = table.duration("ignore_older", input.ignore_older);
  input.fields = table.string_map("fields");
  std::size_t field_bytes = 0;
  for (const auto& [name, value] : input.fields) field_bytes += name.size() + value.size();
  if (input.fields.size() > kMaxInputFields || field_bytes > kMaxInputFieldBytes)
    table.mistake("fields", fmt::format("travels with each batch; at most {} texts of {} bytes together",
                                        kMaxInputFields, kMaxInputFieldBytes));
  input.client.trusted_proxies = table.strings("trusted_proxies");
  input.client.client_from = table.strings("client_from");
  input.max_line = read_size(table, "max_line", input.max_line, 256, kMaxLineBytes);
  const auto spec = resolve_format(table, "format", input.format, formats);
  if (!input.client.trusted_proxies.empty() || !input.client.client_from.empty()) {
    const auto known = formats.contains(input.format) || named_format(input.format).has_value();
    if (const auto compiled = compile_format(spec, input.client); known && !compiled)
      table.mistake("trusted_proxies", compiled.error().what + "; " + compiled.error().hint);
  }
  return input;
}

Codec read_codec(ConfigTable& output, CodecsFor kind, Codec fallback) {
  return codec_named(read_choice(output, "codec", codec_names(kind), to_string(fallback))).value_or(fallback);
}

void read_ship(ConfigTable& kafka, Codec codec, KafkaOutputConfig& out) {
  const auto ship = kafka.texts("ship", {"records"});
  const std::set<std::string> kinds(ship.begin(), ship.end());
  if (kinds == std::set<std::string>{"windows"}) {
    out.ship = Ship::kWindows;
  } else if (kinds == std::set<std::string>{"records", "windows"}) {
    out.ship = Ship::kBoth;
  } else if (kinds != std::set<std::string>{"records"}) {
    kafka.mistake("ship", "must be \"records\", \"windows\", or [\"records\", \"windows\"]");
  }
  if (out.ship != Ship::kRecords && codec != Codec::kBatch)
    kafka.mistake("ship", fmt::format("windows need codec = \"batch\", not \"{}\"", to_string(codec)));
  out.windows_topic = kafka.string("windows_topic");
  if (out.ship != Ship::kBoth) {
    if (!out.windows_topic.empty())
      kafka.mistake("windows_topic", "is for ship = [\"records\", \"windows\"]; windows alone go to topic");
    return;
  }
  if (out.windows_topic.empty()) out.windows_topic = out.topic + "-windows";
  if (!is_topic_name(out.windows_topic)) {
    kafka.mistake("windows_topic", fmt::format("\"{}\" {}", out.windows_topic, kTopicRule));
  } else if (out.windows_topic == out.topic) {
    kafka.mistake("windows_topic", "is the topic of the records; give the windows one of their own");
  }
}

void read_outputs(ConfigTable& root, AgentConfig& config) {
  auto output = root.table("output");
  int outputs = 0;
  if (auto kafka = output.table(to_string(OutputKind::kKafka)); kafka.present()) {
    ++outputs;
    config.output.kind = OutputKind::kKafka;
    read_kafka_connection(kafka, config.output.kafka);
    kafka.require("topic");
    config.output.kafka.topic = kafka.string("topic");
    if (kafka.has("topic") && !is_topic_name(config.output.kafka.topic))
      kafka.mistake("topic", fmt::format("\"{}\" {}", config.output.kafka.topic, kTopicRule));
    config.output.kafka.acks = read_choice(kafka, "acks", {"all", "0", "1"}, "all");
    config.output.codec = read_codec(kafka, CodecsFor::kKafka, Codec::kBatch);
    config.output.kafka.max_message_bytes =
        read_size(kafka, "max_message_bytes", config.output.kafka.max_message_bytes, 64 << 10, 1'000'000'000);
    read_ship(kafka, config.output.codec, config.output.kafka);
  }
  if (auto standard = output.table(to_string(OutputKind::kStdout)); standard.present()) {
    ++outputs;
    config.output.kind = OutputKind::kStdout;
    config.output.codec = read_codec(standard, CodecsFor::kText, Codec::kJson);
  }
  if (auto file = output.table(to_string(OutputKind::kFile)); file.present()) {
    ++outputs;
    config.output.kind = OutputKind::kFile;
    file.require("path");
    config.output.file_path = file.string("path");
    config.output.codec = read_codec(file, CodecsFor::kText, Codec::kJson);
  }
  if (outputs != 1) {
    std::vector<std::string> tables;
    for (const auto kind : kOutputKinds) tables.push_back(fmt::format("[output.{}]", to_string(kind)));
    root.mistake("output", fmt::format("needs exactly one of {}", fmt::join(tables, ", ")));
  }
}

void read_limits(ConfigTable& root, AgentConfig& config) {
  auto ship = root.table("ship");
  auto& s = config.ship;
  s.flush_interval = read_duration(ship, "flush_interval", s.flush_interval, 1ms, 1h);
  s.batch_max_bytes = read_size(ship, "batch_max_bytes", s.batch_max_bytes, 1 << 10, 16 << 20);
  s.max_in_flight = read_size(ship, "max_in_flight", s.max_in_flight, 1 << 10, 1ULL << 40);
  s.backlog.percent = static_cast<unsigned>(ship.integer("backlog_percent", s.backlog.percent, 0, 99));
  s.backlog.bytes_per_s = read_size(ship, "backlog_bytes_per_s", s.backlog.bytes_per_s, 0, 1ULL << 40);
  if (s.backlog.bytes_per_s > 0 && s.backlog.bytes_per_s < kMinBacklogBytesPerS)
    ship.mistake("backlog_bytes_per_s", "must be 0, which is no limit, or at least 1KiB");
  s.shutdown_timeout = read_duration(ship, "shutdown_timeout", s.shutdown_timeout, 0ms, 1h);
  s.heartbeat_interval = read_duration(ship, "heartbeat_interval", s.heartbeat_interval, 100ms, 1h);
  s.zstd_level = static_cast<int>(ship.integer("zstd_level", s.zstd_level, 1, 19));
  if (!ship.has("batch_max_bytes")) s.batch_max_bytes = std::min(s.batch_max_bytes, s.max_in_flight);
  if (s.max_in_flight < s.batch_max_bytes)
    ship.mistake("max_in_flight", "must not be less than batch_max_bytes");
  s.windows_interval = read_duration(ship, "windows_interval", s.windows_interval, 10ms, 1h);
  s.windows_batch_max = read_size(ship, "windows_batch_max", s.windows_batch_max, 1 << 10, 256 << 20);
  const auto window = ship.duration("window", s.window);
  if (window < 1s || window > 86400s || window.count() % 1000 != 0 || 86'400'000 % window.count() != 0) {
    ship.mistake("window",
                 "must be what [window] length of the aggregator is: whole seconds that divide a day");
  } else {
    s.window = std::chrono::duration_cast<std::chrono::seconds>(window);
  }
  auto tail = root.table("tail");
  config.tail.scan_interval = read_duration(tail, "scan_interval", config.tail.scan_interval, 100ms, 24h);
  config.tail.close_rotated = read_duration(tail, "close_rotated", config.tail.close_rotated, 0ms, 720h);
  config.tail.poll_only = read_choice(tail, "watch", {"auto", "poll"}, "auto") == "poll";
  config.tail.poll_interval = read_duration(tail, "poll_interval", config.tail.poll_interval, 10ms, 1h);
  config.tail.missing_after = read_duration(tail, "missing_after", config.tail.missing_after, 0ms, 8760h);
  config.tail.forget_after = read_duration(tail, "forget_after", config.tail.forget_after, 1h, 87600h);
  config.tail.release_under_pressure =
      read_choice(tail, "disk_pressure", {"keep", "release"}, "keep") == "release";
  config.tail.min_free_bytes = read_size(tail, "min_free_bytes", config.tail.min_free_bytes, 0, 1ULL << 50);
  auto metrics = root.table("metrics");
  config.metrics_listen = read_listen(metrics, "listen", config.metrics_listen, true);
}

}  // namespace

std::uint64_t AgentConfig::max_line() const {
  std::uint64_t most = 0;
  for (const auto& input : inputs) most = std::max(most, input.max_line);
  return most;
}

LoadedAgentConfig parse_agent_config(ConfigFile file) {
  LoadedAgentConfig loaded;
  auto& config = loaded.config;
  auto& root = file.root();
  auto agent = root.table("agent");
  config.id = agent.string("id", host_name());
  if (config.id.empty() || config.id.size() > 255) agent.mistake("id", "must have between 1 and 255 bytes");
  config.state_dir = agent.string("state_dir", config.state_dir);
  config.formats = read_formats(root);
  std::set<std::string> names;
  for (auto& table : root.tables("input")) {
    config.inputs.push_back(read_input(table, config.formats));
    const auto& name = config.inputs.back().name;
    if (!name.empty() && !names.insert(name).second)
      table.mistake("name", fmt::format("\"{}\" is the name of another input, too", name));
  }
  if (config.inputs.empty())
    root.mistake(
        "input",
        "needs at least one [[input]] with name and paths; weir-agent discover prints them from nginx.conf");
  read_outputs(root, config);
  read_limits(root, config);
  loaded.mistakes = file.finish();
  return loaded;
}

Result<LoadedAgentConfig> load_agent_config(const std::string& path) {
  auto file = ConfigFile::read(path);
  if (!file) return std::unexpected(file.error());
  return parse_agent_config(std::move(*file));
}

std::vector<std::string> needs_restart(const AgentConfig& running, const AgentConfig& fresh) {
  std::vector<std::string> out;
  if (running.id != fresh.id) out.emplace_back("agent.id");
  if (running.state_dir != fresh.state_dir) out.emplace_back("agent.state_dir");
  if (running.output != fresh.output) out.emplace_back("output");
  if (running.metrics_listen != fresh.metrics_listen) out.emplace_back("metrics.listen");
  return out;
}

}  // namespace weir
