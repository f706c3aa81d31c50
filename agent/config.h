// The agent's configuration: one struct per part, defaults in place. Every key
// is described in docs/reference/agent-config.md under the same name.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "agent/format/parser.h"
#include "agent/ship/backlog_budget.h"
#include "common/kafka_connection.h"
#include "common/toml_config.h"
#include "proto/result.h"

namespace weir {

struct InputConfig {
  std::string name;
  std::vector<std::string> paths;             // globs
  std::vector<std::string> exclude;           // globs
  std::string format = "combined";            // a named format, or one of [format.NAME]
  bool start_at_end = false;                  // start_at = "beginning" | "end", for files never seen before
  std::chrono::milliseconds ignore_older{0};  // 0: off. Files not modified for longer are not opened
  std::map<std::string, std::string> fields;
  ClientConfig client;               // trusted_proxies, client_from
  std::uint64_t max_line = 1 << 20;  // bytes; longer lines are cut, marked and counted
};

// What is shipped: each request, sums of windows, or both, to a topic each.
enum class Ship { kRecords, kWindows, kBoth };

struct KafkaOutputConfig : KafkaConnection {
  std::string topic;
  Ship ship = Ship::kRecords;
  std::string windows_topic;    // with Ship::kBoth: where the windows go
  std::string acks = "all";     // "0", "1", "all"
  std::string codec = "batch";  // "batch", "json", "raw"
  // No batch makes a larger message, whether it compresses or not, but for lines of many KiB.
  std::uint64_t max_message_bytes = 1'000'000;
  friend bool operator==(const KafkaOutputConfig&, const KafkaOutputConfig&) = default;
};

struct ShipConfig {
  // A batch that is not full leaves after this. Less: fresher pages, more messages.
  std::chrono::milliseconds flush_interval{1000};
  // Content bytes per batch. More: better compression, more memory.
  std::uint64_t batch_max_bytes = 4 << 20;
  // Content bytes read and not yet acknowledged; reading stops here.
  std::uint64_t max_in_flight = 16 << 20;
  // Of rotated files: live ones go first.
  BacklogBudget::Limits backlog;
  std::chrono::milliseconds shutdown_timeout{10000};
  std::chrono::milliseconds heartbeat_interval{10000};
  int zstd_level = 1;
  // Ship::kWindows only. Lines of a source gather for this long, in their file, before their sums
  // leave. Less: fresher pages, more messages.
  std::chrono::milliseconds windows_interval{10000};
  // A backlog leaves in ranges of this many bytes. No batch crosses a multiple of it, so that who
  // reads a file anew cuts it at the same places.
  std::uint64_t windows_batch_max = 16 << 20;
  // The length of a window: the aggregator's.
  std::chrono::seconds window{60};
};

struct TailConfig {
  std::chrono::milliseconds scan_interval{10000};  // globs are looked at again (inotify wakes earlier)
  std::chrono::milliseconds close_rotated{
      5000};  // a renamed file at its end is closed after this much silence
  // "auto": inotify, and polling where it tells nothing (network file systems, too many watches).
  bool poll_only = false;                         // watch = "auto" | "poll"
  std::chrono::milliseconds poll_interval{1000};  // files that are not watched are looked at this often
  // A file that vanished while it had unread bytes is given up, and the loss recorded, after this.
  std::chrono::milliseconds missing_after{std::chrono::minutes(10)};
  // The registry forgets what it has not seen for this long.
  std::chrono::milliseconds forget_after{std::chrono::hours(24 * 30)};
  // Deleted files stay open until they are shipped; with "release" the oldest of them are given
  // up, and the loss recorded, while their disk has less than min_free_bytes.
  bool release_under_pressure = false;  // disk_pressure = "keep" | "release"
  std::uint64_t min_free_bytes = 512ULL << 20;
};

struct AgentConfig {
  std::string id;  // default: the machine's host name
  std::string state_dir = "/var/lib/weir-agent";
  std::vector<InputConfig> inputs;
  std::map<std::string, FormatSpec> formats;  // [format.NAME]
  enum class OutputKind { kKafka, kStdout, kFile };
  OutputKind output = OutputKind::kKafka;
  KafkaOutputConfig kafka;
  std::string file_output_path;     // [output.file] path
  std::string text_codec = "json";  // [output.stdout] / [output.file] codec = "json" | "raw"
  ShipConfig ship;
  TailConfig tail;
  std::string metrics_listen = "127.0.0.1:9601";  // "": off
};

struct LoadedAgentConfig {
  AgentConfig config;
  std::vector<ConfigMistake> mistakes;  // empty: the config may be used
};
// Errors: the file cannot be read.
[[nodiscard]] Result<LoadedAgentConfig> load_agent_config(const std::string& path);
[[nodiscard]] LoadedAgentConfig parse_agent_config(ConfigFile file);
// What differs and is taken at a start only, as the configuration names it: "agent.id", "output".
[[nodiscard]] std::vector<std::string> needs_restart(const AgentConfig& running, const AgentConfig& fresh);

}  // namespace weir
