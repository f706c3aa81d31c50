#include "common/kafka_connection.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <librdkafka/rdkafka.h>

#include <array>
#include <memory>

#include "common/config_values.h"

namespace weir {
namespace {

void read_tls(ConfigTable& table, KafkaConnection& out) {
  out.tls = table.boolean("tls", false);
  out.tls_ca = table.string("tls_ca");
  out.tls_cert = table.string("tls_cert");
  out.tls_key = table.string("tls_key");
  for (const char* key : {"tls_ca", "tls_cert", "tls_key"}) {
    if (table.has(key) && !out.tls) table.mistake(key, "has no effect without TLS; add tls = true");
  }
  if (out.tls_cert.empty() != out.tls_key.empty()) {
    table.mistake(out.tls_cert.empty() ? "tls_key" : "tls_cert",
                  "a client certificate is two files; set tls_cert and tls_key");
  }
}

void read_sasl(ConfigTable& table, KafkaConnection& out) {
  out.sasl_mechanism = read_choice(table, "sasl_mechanism", {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"}, "");
  out.sasl_username = table.string("sasl_username");
  out.sasl_password = table.secret("sasl_password");
  if (!table.has("sasl_mechanism")) {
    for (const char* key : {"sasl_username", "sasl_password", "sasl_password_file"}) {
      if (table.has(key)) {
        table.mistake(key, "has no effect without sasl_mechanism; add sasl_mechanism = \"SCRAM-SHA-512\"");
      }
    }
    return;
  }
  table.require("sasl_username");
  if (!table.has("sasl_password") && !table.has("sasl_password_file")) {
    table.mistake("sasl_password", "missing; set sasl_password or sasl_password_file");
  }
}

std::string nearest_property(const rd_kafka_conf_t* conf, const std::string& name) {
  std::size_t count = 0;
  const char** all = rd_kafka_conf_dump(const_cast<rd_kafka_conf_t*>(conf), &count);  // does not modify it
  std::vector<std::string> names;
  for (std::size_t i = 0; i + 1 < count; i += 2) names.emplace_back(all[i]);
  rd_kafka_conf_dump_free(all, count);
  return nearest(name, names);
}

// Asks librdkafka itself, so that `check` finds the same mistakes as `run`.
void check_properties(ConfigTable& table, const std::map<std::string, std::string>& properties) {
  const std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)> conf(rd_kafka_conf_new(),
                                                                                &rd_kafka_conf_destroy);
  for (const auto& [name, value] : properties) {
    std::array<char, 512> why{};
    const auto result = rd_kafka_conf_set(conf.get(), name.c_str(), value.c_str(), why.data(), why.size());
    if (result == RD_KAFKA_CONF_UNKNOWN) {
      const auto near = nearest_property(conf.get(), name);
      table.mistake("librdkafka",
                    fmt::format("\"{}\" is not a property of librdkafka{}", name,
                                near.empty() ? "" : fmt::format("; did you mean \"{}\"?", near)));
    } else if (result != RD_KAFKA_CONF_OK) {
      table.mistake("librdkafka", fmt::format("\"{}\" = \"{}\": {}", name, value, why.data()));
    }
  }
}

}  // namespace

void read_kafka_connection(ConfigTable& table, KafkaConnection& out) {
  table.require("brokers");
  out.brokers = table.strings("brokers");
  if (table.has("brokers") && out.brokers.empty()) {
    table.mistake("brokers", "is empty; write at least one broker, such as brokers = [\"kafka1:9092\"]");
  }
  for (const std::string& broker : out.brokers) {
    if (!is_host_port(broker)) {
      table.mistake("brokers", fmt::format("\"{}\" is not a broker; write \"host:9092\"", broker));
    }
  }
  read_tls(table, out);
  read_sasl(table, out);
  out.librdkafka = table.string_map("librdkafka");
  check_properties(table, out.librdkafka);
}

std::vector<std::pair<std::string, std::string>> kafka_properties(const KafkaConnection& connection) {
  std::vector<std::pair<std::string, std::string>> out;
  const auto set = [&out](const char* name, const std::string& value) {
    if (!value.empty()) out.emplace_back(name, value);
  };
  const bool sasl = !connection.sasl_mechanism.empty();
  set("bootstrap.servers", fmt::format("{}", fmt::join(connection.brokers, ",")));
  set("security.protocol",
      sasl ? (connection.tls ? "sasl_ssl" : "sasl_plaintext") : (connection.tls ? "ssl" : "plaintext"));
  set("ssl.ca.location", connection.tls_ca);
  set("ssl.certificate.location", connection.tls_cert);
  set("ssl.key.location", connection.tls_key);
  set("sasl.mechanisms", connection.sasl_mechanism);
  set("sasl.username", connection.sasl_username);
  set("sasl.password", connection.sasl_password);
  return out;
}

}  // namespace weir
