#include "aggregator/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "agent/format_table.h"
#include "common/config_values.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

void read_metric(ConfigTable& table, RuleConfig& rule) {
  std::vector<std::string> names;
  for (const MetricRow& row : metrics()) names.emplace_back(row.name);
  table.require("metric");
  if (!table.has("metric")) return;
  const auto metric = metric_named(read_choice(table, "metric", names, ""));
  if (!metric) return;  // the mistake was already recorded
  rule.metric = *metric;
  const std::string status_class = table.string("status_class");
  if (!row_of(rule.metric).is_share) {
    if (!status_class.empty())
      table.mistake("status_class",
                    fmt::format("does not belong to the metric {}; remove it", row_of(rule.metric).name));
  } else if (status_class.empty()) {
    table.mistake("status_class",
                  fmt::format("is needed for {}, for example \"5xx\"", row_of(rule.metric).name));
  } else {
    rule.status_class =
        status_class_named(read_choice(table, "status_class", status_class_names(), "")).value_or(0);
  }
}

void read_levels(ConfigTable& table, RuleConfig& rule) {
  rule.above = table.optional_number("above");
  rule.below = table.optional_number("below");
  rule.clear = table.optional_number("clear");
  if (rule.above.has_value() == rule.below.has_value())
    table.mistake("above", "needs exactly one of above and below");
  if (rule.clear && rule.above && *rule.clear > *rule.above)
    table.mistake("clear", "must not be higher than above: the alert would never end");
  if (rule.clear && rule.below && *rule.clear < *rule.below)
    table.mistake("clear", "must not be lower than below: the alert would never end");
  if (!row_of(rule.metric).is_share) return;
  for (const auto& [key, level] :
       {std::pair{"above", rule.above}, {"below", rule.below}, {"clear", rule.clear}}) {
    if (level && (*level < 0 || *level > 1))
      table.mistake(key, fmt::format("{} is not a share from 0 to 1; write 0.05 for 5 %", *level));
  }
}

RuleConfig read_rule(ConfigTable& table, const ChannelsConfig& channels) {
  RuleConfig rule;
  table.require("name");
  rule.name = table.string("name");
  read_metric(table, rule);
  read_levels(table, rule);
  rule.for_duration = table.duration("for", rule.for_duration);
  rule.range = table.duration("range", rule.range);
  if (rule.range.count() <= 0) table.mistake("range", "must be longer than nothing, for example \"5m\"");
  rule.site = table.string("site");
  rule.severity = table.string("severity", rule.severity);
  rule.min_requests = table.optional_number("min_requests").value_or(0);
  if (table.has("notify")) {
    auto destinations = read_destinations(table.texts("notify"), channels);
    if (destinations) {
      rule.notify = std::move(*destinations);
    } else {
      table.mistake("notify", destinations.error().what);
    }
  }
  return rule;
}

void read_rules(ConfigTable& root, AggregatorConfig& config) {
  std::set<std::string> names;
  for (auto& table : root.tables("rule")) {
    config.rules.push_back(read_rule(table, config.channels));
    if (const auto& name = config.rules.back().name; !name.empty() && !names.insert(name).second)
      table.mistake("name", fmt::format("\"{}\" is the name of another rule, too", name));
  }
}

void read_source(ConfigTable& root, AggregatorConfig& config, ConfigPurpose purpose) {
  auto source = root.table("source");
  if (auto kafka = source.table("kafka"); kafka.present()) {
    KafkaSourceConfig from;
    read_kafka_connection(kafka, from);
    kafka.require("topics");
    from.topics = kafka.strings("topics");
    if (kafka.has("topics") && from.topics.empty())
      kafka.mistake("topics", "is empty; name at least one topic");
    for (const auto& topic : from.topics) {
      if (!is_topic_name(topic)) kafka.mistake("topics", fmt::format("\"{}\" {}", topic, kTopicRule));
    }
    from.group = kafka.string("group", from.group);
    from.format = resolve_format(kafka, "format", kafka.string("format", kDefaultFormat), config.formats);
    config.kafka = std::move(from);
  } else if (purpose == ConfigPurpose::kRun) {
    root.mistake("source",
                 "needs [source.kafka]; on a single box, weir-aggregator local needs no configuration");
  }
}

void read_store(ConfigTable& root, AggregatorConfig& config, ConfigPurpose purpose) {
  auto store = root.table("store");
  int stores = 0;
  if (auto table = store.table("mysql"); table.present()) {
    ++stores;
    MysqlConfig mysql;
    mysql.host = table.string("host", mysql.host);
    mysql.port = static_cast<std::uint16_t>(table.integer("port", mysql.port, 1, 65535));
    mysql.socket = table.string("socket");
    mysql.user = table.string("user", mysql.user);
    mysql.password = table.secret("password");
    mysql.database = table.string("database", mysql.database);
    mysql.tls_ca = table.string("tls_ca");
    config.mysql = std::move(mysql);
  }
  if (auto table = store.table("sqlite"); table.present()) {
    ++stores;
    table.require("path");
    config.sqlite_path = table.string("path");
  }
  const bool required = purpose == ConfigPurpose::kRun;
  if (stores > 1 || (stores == 0 && required))
    root.mistake("store", "needs exactly one of [store.mysql], [store.sqlite]");
}

void read_window(ConfigTable& root, AggregatorConfig& config) {
  auto window = root.table("window");
  const auto length = window.duration("length", config.window);
  if (length < 1s || length > 86400s || length.count() % 1000 != 0 || 86'400'000 % length.count() != 0) {
    window.mistake("length", "must be whole seconds that divide a day, for example \"1m\" or \"5m\"");
  } else {
    config.window = std::chrono::duration_cast<std::chrono::seconds>(length);
  }
}

void read_settle(ConfigTable& root, SettleConfig& s) {
  auto settle = root.table("settle");
  s.commit_interval = read_duration(settle, "commit_interval", s.commit_interval, 1ms, 1h);
  s.max_pending_bytes = read_size(settle, "max_pending_bytes", s.max_pending_bytes, 1 << 20, 1ULL << 40);
  s.max_sites = static_cast<std::size_t>(
      settle.integer("max_sites", static_cast<std::int64_t>(s.max_sites), 1, 10'000'000));
  s.forget_after = read_duration(settle, "forget_after", s.forget_after, 0ms, std::chrono::days(36500));
  if (s.forget_after.count() > 0 && s.forget_after < std::chrono::days(1))
    settle.mistake("forget_after", "is shorter than a day; write \"0s\" for never");
}

}  // namespace

LoadedAggregatorConfig parse_aggregator_config(ConfigFile file, ConfigPurpose purpose) {
  LoadedAggregatorConfig loaded;
  auto& config = loaded.config;
  auto& root = file.root();
  config.formats = read_formats(root);
  read_source(root, config, purpose);
  read_store(root, config, purpose);
  read_window(root, config);
  auto pages = root.table("pages");
  config.pages_listen = read_listen(pages, "listen", config.pages_listen, false);
  config.public_url = pages.string("url");
  for (const ChannelRow& channel : channels()) channel.read(root, config.channels);
  read_rules(root, config);
  read_settle(root, config.settle);
  loaded.mistakes = file.finish();
  return loaded;
}

Result<LoadedAggregatorConfig> load_aggregator_config(const std::string& path, ConfigPurpose purpose) {
  auto file = ConfigFile::read(path);
  if (!file) return std::unexpected(file.error());
  return parse_aggregator_config(std::move(*file), purpose);
}

Result<std::unique_ptr<Store>> open_store(const AggregatorConfig& config) {
  return config.mysql ? open_mysql(*config.mysql) : open_sqlite(config.sqlite_path);
}

}  // namespace weir
