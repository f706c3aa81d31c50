// The agent's configuration: one struct per part, with defaults. docs/reference/agent-config.md describes
// every key under the same name.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/format/parser.h"
#include "agent/ship/ship_config.h"
#include "agent/tail/tail_config.h"
#include "common/config_table.h"
#include "proto/result.h"

namespace weir {

struct AgentConfig {
  std::string id;  // default: the host name of the machine
  std::string state_dir = "/var/lib/weir-agent";
  std::vector<InputConfig> inputs;
  std::map<std::string, FormatSpec> formats;  // [format.NAME]
  OutputConfig output;
  ShipConfig ship;
  TailConfig tail;
  std::string metrics_listen = "127.0.0.1:9601";  // "": off
  // The largest line size of any input, in bytes.
  [[nodiscard]] std::uint64_t max_line() const;
};

struct LoadedAgentConfig {
  AgentConfig config;
  std::vector<ConfigMistake> mistakes;  // empty: the config is valid
};
// Errors: the file cannot be read.
[[nodiscard]] Result<LoadedAgentConfig> load_agent_config(const std::string& path);
[[nodiscard]] LoadedAgentConfig parse_agent_config(ConfigFile file);
// The settings that differ but take effect only at a start, by their configuration names: "agent.id",
// "output".
[[nodiscard]] std::vector<std::string> needs_restart(const AgentConfig& running, const AgentConfig& fresh);

}  // namespace weir
