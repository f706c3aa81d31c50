// The aggregator's configuration. docs/reference/aggregator-config.md describes every key under the same
// name.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "agent/format/parser.h"
#include "aggregator/store/store.h"
#include "aggregator/warn/channels.h"
#include "common/config_table.h"
#include "common/kafka_connection.h"
#include "proto/result.h"

namespace weir {

struct KafkaSourceConfig : KafkaConnection {
  std::vector<std::string> topics;
  std::string group = "weir-aggregator";
  FormatSpec format;  // key `format`: for raw lines and the `message` of foreign JSON
};

struct SettleConfig {
  std::chrono::milliseconds commit_interval{1000};
  std::uint64_t max_pending_bytes = 64 << 20;  // uncommitted bytes held; fetching stops at this
  std::size_t max_sites = 10000;               // sites beyond this are counted as "(other)"
  // A log that no agent has named for this long is forgotten; with gaps, after twice as long. 0: never.
  std::chrono::milliseconds forget_after = std::chrono::days(90);
};

struct AggregatorConfig {
  std::optional<KafkaSourceConfig> kafka;
  std::optional<MysqlConfig> mysql;
  std::string sqlite_path;
  std::chrono::seconds window{60};
  std::string pages_listen = "127.0.0.1:8080";
  std::string public_url;   // [pages] url: where links in alerts point; "": http://LISTEN/
  ChannelsConfig channels;  // [mail], [[webhook]]
  std::vector<RuleConfig> rules;
  SettleConfig settle;
  std::map<std::string, FormatSpec> formats;  // [format.NAME], by NAME
};

// The purpose of reading the file decides which sections it must have.
enum class ConfigPurpose {
  kRun,    // [source.kafka] and exactly one store are required
  kLocal,  // a single box: neither is required, and both are ignored
};

struct LoadedAggregatorConfig {
  AggregatorConfig config;
  std::vector<ConfigMistake> mistakes;
};
[[nodiscard]] Result<LoadedAggregatorConfig> load_aggregator_config(
    const std::string& path, ConfigPurpose purpose = ConfigPurpose::kRun);
[[nodiscard]] LoadedAggregatorConfig parse_aggregator_config(ConfigFile file,
                                                             ConfigPurpose purpose = ConfigPurpose::kRun);

// Opens the store named in the configuration.
[[nodiscard]] Result<std::unique_ptr<Store>> open_store(const AggregatorConfig& config);

}  // namespace weir
