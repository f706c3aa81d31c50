// How to reach Kafka: the keys that [output.kafka] and [source.kafka] share, and the librdkafka properties
// that they set.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/config_table.h"

namespace weir {

struct KafkaConnection {
  std::vector<std::string> brokers;  // "host:port"
  bool tls = false;
  std::string tls_ca, tls_cert, tls_key;  // files
  std::string sasl_mechanism, sasl_username, sasl_password;
  std::map<std::string, std::string> librdkafka;  // any property; overrides the keys above
  friend bool operator==(const KafkaConnection&, const KafkaConnection&) = default;
};

// Reads the shared keys (`brokers` is required) and the sub-table `librdkafka`.
void read_kafka_connection(ConfigTable& table, KafkaConnection& out);

// Properties for rd_kafka_conf_set, without those of the sub-table `librdkafka`. The caller sets its own
// after these, and the sub-table's last.
[[nodiscard]] std::vector<std::pair<std::string, std::string>> kafka_properties(
    const KafkaConnection& connection);

}  // namespace weir
