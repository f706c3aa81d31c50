// librdkafka's own mock broker, in this process, with one topic.
#pragma once

#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <array>
#include <memory>
#include <string>

#include "common/kafka_connection.h"

namespace weir::testing {

class MockKafka {
 public:
  MockKafka(const char* topic, int partitions) : topic_(topic) {
    std::array<char, 256> why{};
    host_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, quiet(), why.data(), why.size()));
    cluster_.reset(rd_kafka_mock_cluster_new(host_.get(), 1));
    rd_kafka_mock_topic_create(cluster_.get(), topic, partitions, 1);
    rd_kafka_conf_t* conf = quiet();
    rd_kafka_conf_set(conf, "bootstrap.servers", brokers().c_str(), why.data(), why.size());
    rd_kafka_conf_set(conf, "linger.ms", "0", why.data(), why.size());
    producer_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, why.data(), why.size()));
  }

  [[nodiscard]] std::string brokers() const { return rd_kafka_mock_cluster_bootstraps(cluster_.get()); }
  [[nodiscard]] KafkaConnection connection() const {
    KafkaConnection out;
    out.brokers = {brokers()};
    return out;
  }
  void produce(std::int32_t partition, const std::string& payload) {
    rd_kafka_producev(producer_.get(), RD_KAFKA_V_TOPIC(topic_), RD_KAFKA_V_PARTITION(partition),
                      RD_KAFKA_V_VALUE(const_cast<char*>(payload.data()), payload.size()),
                      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    ASSERT_EQ(rd_kafka_flush(producer_.get(), 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
  }
  void set_up(bool up) {
    if (up) {
      rd_kafka_mock_broker_set_up(cluster_.get(), 1);
    } else {
      rd_kafka_mock_broker_set_down(cluster_.get(), 1);
    }
  }

 private:
  static rd_kafka_conf_t* quiet() {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(conf, [](const rd_kafka_t*, int, const char*, const char*) {});
    return conf;
  }
  struct DestroyClient {
    void operator()(rd_kafka_t* client) const { rd_kafka_destroy(client); }
  };
  struct DestroyCluster {
    void operator()(rd_kafka_mock_cluster_t* cluster) const { rd_kafka_mock_cluster_destroy(cluster); }
  };
  const char* topic_;
  std::unique_ptr<rd_kafka_t, DestroyClient> host_;
  std::unique_ptr<rd_kafka_mock_cluster_t, DestroyCluster> cluster_;
  std::unique_ptr<rd_kafka_t, DestroyClient> producer_;
};

}  // namespace weir::testing
