#include "agent/config.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <set>

#include "agent/format_table.h"

namespace weir {
namespace {

// `value` when it is one of `words`; else a mistake that names the nearest.
std::string one_of(ConfigTable& table, std::string_view key, std::string value,
                   const std::vector<std::string>& words) {
  if (std::find(words.begin(), words.end(), value) != words.end()) return value;
  const auto close = nearest(value, words);
  table.mistake(key, fmt::format("\"{}\" is not known; {}", value,
                                 close.empty() ? fmt::format("there are {}", fmt::join(words, ", "))
                                               : fmt::format("did you mean \"{}\"?", close)));
  return words.front();
}

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
  input.format = table.string("format", "combined");
  input.start_at_end =
      one_of(table, "start_at", table.string("start_at", "beginning"), {"beginning", "end"}) == "end";
  input.ignore_older = table.duration("ignore_older", input.ignore_older);
  input.fields = table.string_map("fields");
  input.client.trusted_proxies = table.strings("trusted_proxies");
  input.client.client_from = table.strings("client_from");
  input.max_line = table.size("max_line", input.max_line);
  if (input.max_line < 256 || input.max_line > (64 << 20))
    table.mistake("max_line", "must be between 256 bytes and 64MiB");
  const auto spec = resolve_format(table, "format", input.format, formats);
  if (!input.client.trusted_proxies.empty() || !input.client.client_from.empty()) {
    const auto known = formats.contains(input.format) || named_format(input.format).has_value();
    if (const auto compiled = compile_format(spec, input.client); known && !compiled)
      table.mistake("trusted_proxies", compiled.error().what + "; " + compiled.error().hint);
  }
  return input;
}

void read_outputs(ConfigTable& root, AgentConfig& config) {
  auto output = root.table("output");
  int outputs = 0;
  if (auto kafka = output.table("kafka"); kafka.present()) {
    ++outputs;
    config.output = AgentConfig::OutputKind::kKafka;
    read_kafka_connection(kafka, config.kafka);
    kafka.require("topic");
    config.kafka.topic = kafka.string("topic");
    config.kafka.acks = one_of(kafka, "acks", kafka.text("acks", "all"), {"all", "0", "1"});
    config.kafka.codec = one_of(kafka, "codec", kafka.string("codec", "batch"), {"batch", "json", "raw"});
  }
  if (auto standard = output.table("stdout"); standard.present()) {
    ++outputs;
    config.output = AgentConfig::OutputKind::kStdout;
    config.text_codec = one_of(standard, "codec", standard.string("codec", "json"), {"json", "raw"});
  }
  if (auto file = output.table("file"); file.present()) {
    ++outputs;
    config.output = AgentConfig::OutputKind::kFile;
    file.require("path");
    config.file_output_path = file.string("path");
    config.text_codec = one_of(file, "codec", file.string("codec", "json"), {"json", "raw"});
  }
  if (outputs != 1)
    root.mistake("output", "needs exactly one of [output.kafka], [output.stdout], [output.file]");
}

void read_limits(ConfigTable& root, AgentConfig& config) {
  auto ship = root.table("ship");
  auto& s = config.ship;
  s.flush_interval = ship.duration("flush_interval", s.flush_interval);
  s.batch_max_bytes = ship.size("batch_max_bytes", s.batch_max_bytes);
  s.max_in_flight = ship.size("max_in_flight", s.max_in_flight);
  s.shutdown_timeout = ship.duration("shutdown_timeout", s.shutdown_timeout);
  s.heartbeat_interval = ship.duration("heartbeat_interval", s.heartbeat_interval);
  s.zstd_level = static_cast<int>(ship.integer("zstd_level", s.zstd_level, 1, 19));
  if (s.batch_max_bytes < 1024 || s.batch_max_bytes > (16 << 20))
    ship.mistake("batch_max_bytes", "must be between 1KiB and 16MiB");
  if (s.max_in_flight < s.batch_max_bytes)
    ship.mistake("max_in_flight", "must not be less than batch_max_bytes");
  auto tail = root.table("tail");
  config.tail.scan_interval = tail.duration("scan_interval", config.tail.scan_interval);
  config.tail.close_rotated = tail.duration("close_rotated", config.tail.close_rotated);
  auto metrics = root.table("metrics");
  config.metrics_listen = metrics.string("listen", config.metrics_listen);
}

}  // namespace

LoadedAgentConfig parse_agent_config(ConfigFile file) {
  LoadedAgentConfig loaded;
  auto& config = loaded.config;
  auto& root = file.root();
  auto agent = root.table("agent");
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  config.id = agent.string("id", host.data());
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

}  // namespace weir
