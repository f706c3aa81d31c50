// The aggregator's configuration. Every key is described in
// docs/reference/aggregator-config.md under the same name.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "aggregator/store/store.h"
#include "common/toml_config.h"
#include "proto/result.h"

namespace weir {

struct KafkaSourceConfig {
  std::vector<std::string> brokers;
  std::vector<std::string> topics;
  std::string group = "weir-aggregator";
  std::string format = "combined";  // of raw lines and of foreign JSON's `message`
  bool tls = false;
  std::string tls_ca, tls_cert, tls_key;
  std::string sasl_mechanism, sasl_username, sasl_password;
  std::map<std::string, std::string> librdkafka;
};

struct SettleConfig {
  std::chrono::milliseconds commit_interval{1000};
  std::uint64_t max_pending_bytes = 64 << 20;  // held uncommitted; fetching stops here
  std::size_t max_sites = 10000;               // more distinct sites become "(other)"
  std::size_t max_dead_letters = 10000;        // kept rows; all are counted
};

struct MailConfig {
  std::string server;  // "smtp://host:587" or "smtps://host:465"
  std::string from;
  std::vector<std::string> to;
  std::string user, password;
  std::string tls = "opportunistic";  // "required", "opportunistic", "none"
  std::string tls_ca;
};

struct RuleConfig {
  std::string name;
  std::string metric;  // "requests_per_second", "bytes_per_second", "status_share"
  std::string status_class;  // "5xx" for status_share
  std::optional<double> above, below;  // firing level: exactly one of them
  std::optional<double> clear;         // clearing level; default: the firing level
  std::chrono::milliseconds for_duration{0};  // key `for`
  std::chrono::milliseconds range{60000};     // the value is over this much time
  std::string site;        // "": the total; "*": each site by itself; else that site
  std::string severity = "warning";
  double min_requests = 0;  // status_share: ignored below this many requests in the range
};

struct AggregatorConfig {
  std::optional<KafkaSourceConfig> kafka;
  std::optional<MysqlConfig> mysql;
  std::string sqlite_path;
  std::chrono::seconds window{60};
  std::string pages_listen = "127.0.0.1:8080";
  std::string public_url;  // [pages] url: what mails link to; default http://<listen>/
  std::optional<MailConfig> mail;
  std::vector<RuleConfig> rules;
  SettleConfig settle;
};

struct LoadedAggregatorConfig {
  AggregatorConfig config;
  std::vector<ConfigMistake> mistakes;
};
[[nodiscard]] Result<LoadedAggregatorConfig> load_aggregator_config(const std::string& path);
[[nodiscard]] LoadedAggregatorConfig parse_aggregator_config(ConfigFile file);

// Opens whichever store the config names.
[[nodiscard]] Result<std::unique_ptr<Store>> open_store(const AggregatorConfig& config);

}  // namespace weir
