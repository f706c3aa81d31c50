// With librdkafka's mock broker, in this process.
#include "aggregator/source/kafka_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <algorithm>
#include <chrono>
#include <stdexcept>

namespace weir {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

struct DestroyClient {
  void operator()(rd_kafka_t* client) const { rd_kafka_destroy(client); }
};
struct DestroyCluster {
  void operator()(rd_kafka_mock_cluster_t* cluster) const { rd_kafka_mock_cluster_destroy(cluster); }
};

class KafkaSourceTest : public ::testing::Test {
 protected:
  KafkaSourceTest() {
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    char why[256];
    host_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, conf, why, sizeof(why)));
    cluster_.reset(rd_kafka_mock_cluster_new(host_.get(), 1));
    rd_kafka_mock_topic_create(cluster_.get(), "access", 2, 1);
    rd_kafka_conf_t* producer_conf = rd_kafka_conf_new();
    rd_kafka_conf_set(producer_conf, "bootstrap.servers", bootstraps().c_str(), why, sizeof(why));
    rd_kafka_conf_set(producer_conf, "linger.ms", "0", why, sizeof(why));
    producer_.reset(rd_kafka_new(RD_KAFKA_PRODUCER, producer_conf, why, sizeof(why)));
  }

  std::string bootstraps() { return rd_kafka_mock_cluster_bootstraps(cluster_.get()); }

  void produce(std::int32_t partition, const std::string& payload) {
    rd_kafka_producev(producer_.get(), RD_KAFKA_V_TOPIC("access"), RD_KAFKA_V_PARTITION(partition),
                      RD_KAFKA_V_VALUE(const_cast<char*>(payload.data()), payload.size()),
                      RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_END);
    ASSERT_EQ(rd_kafka_flush(producer_.get(), 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
  }

  std::unique_ptr<KafkaSource> start(std::map<std::string, std::string> properties = {},
                                     const std::string& topic = "access") {
    KafkaConnection connection;
    connection.brokers = {bootstraps()};
    connection.librdkafka = std::move(properties);
    connection.librdkafka.emplace("session.timeout.ms", "6000");
    connection.librdkafka.emplace("heartbeat.interval.ms", "200");
    auto source = KafkaSource::create(connection, {topic}, "weir");
    EXPECT_TRUE(source.has_value()) << (source ? "" : source.error().what);
    return std::move(*source);
  }

  // Polls and sorts the events. Answers assignments with start_offsets_, and revocations at once.
  struct Consumer {
    explicit Consumer(std::unique_ptr<KafkaSource> kafka, std::map<PartitionKey, std::int64_t> offsets = {})
        : source(std::move(kafka)), start_offsets(std::move(offsets)) {}
    std::unique_ptr<KafkaSource> source;
    std::map<PartitionKey, std::int64_t> start_offsets;
    std::vector<SourceMessage> messages;
    std::vector<OffsetOutOfRange> gaps;
    std::set<PartitionKey> assigned;
    int revocations = 0;

    [[nodiscard]] std::vector<std::string> payloads_of(const PartitionKey& partition) const {
      std::vector<std::string> payloads;
      for (const auto& message : messages) {
        if (message.partition == partition) payloads.push_back(message.payload);
      }
      return payloads;
    }

    void poll() {
      std::vector<SourceEvent> events;
      const auto polled = source->poll(20ms, 64, events);
      ASSERT_TRUE(polled.has_value()) << polled.error().what;
      for (auto& event : events) {
        if (auto* message = std::get_if<SourceMessage>(&event)) messages.push_back(std::move(*message));
        if (auto* gap = std::get_if<OffsetOutOfRange>(&event)) gaps.push_back(*gap);
        if (auto* now = std::get_if<Assigned>(&event)) {
          for (const auto& partition : now->partitions) {
            assigned.insert(partition);
            const auto at = start_offsets.find(partition);
            const auto started = source->start_at(partition, at == start_offsets.end() ? -1 : at->second);
            ASSERT_TRUE(started.has_value()) << started.error().what;
          }
        }
        if (auto* gone = std::get_if<Revoked>(&event)) {
          for (const auto& partition : gone->partitions) assigned.erase(partition);
          ++revocations;
          source->revoked_done();
        }
      }
    }
  };

  template <class Condition>
  static void until(std::vector<Consumer*> consumers, Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (!condition()) {
      for (Consumer* consumer : consumers) {
        if (std::chrono::steady_clock::now() > deadline) {
          throw std::runtime_error("it did not come; status: " + consumer->source->status());
        }
        consumer->poll();
      }
    }
  }

  std::unique_ptr<rd_kafka_t, DestroyClient> host_;
  std::unique_ptr<rd_kafka_mock_cluster_t, DestroyCluster> cluster_;
  std::unique_ptr<rd_kafka_t, DestroyClient> producer_;
};

const PartitionKey kFirst{"access", 0};
const PartitionKey kSecond{"access", 1};

TEST_F(KafkaSourceTest, StartsWhereItIsTold) {
  for (int i = 0; i < 5; ++i) produce(0, std::to_string(i));
  produce(1, "other");
  Consumer consumer(start(), {{kFirst, 3}});
  until({&consumer}, [&] { return consumer.messages.size() == 3; });
  std::vector<std::string> payloads;
  for (const auto& message : consumer.messages) payloads.push_back(message.payload);
  EXPECT_THAT(payloads, ::testing::UnorderedElementsAre("3", "4", "other"));
  EXPECT_EQ(consumer.assigned, (std::set<PartitionKey>{kFirst, kSecond}));
  EXPECT_NE(consumer.source->cluster_id(), "");
  EXPECT_EQ(consumer.source->status(), "");
  for (const auto& message : consumer.messages) {
    EXPECT_EQ(message.offset, message.payload == "other" ? 0 : std::stoi(message.payload));
  }
}

TEST_F(KafkaSourceTest, AnOffsetThatIsGoneIsSaidAndReadingGoesOn) {
  for (int i = 0; i < 3; ++i) produce(0, std::to_string(i));
  Consumer consumer(start(), {{kFirst, 500}});
  until({&consumer}, [&] { return consumer.messages.size() == 3; });
  ASSERT_EQ(consumer.gaps.size(), 1U);
  EXPECT_EQ(consumer.gaps[0].partition, kFirst);
  EXPECT_EQ(consumer.gaps[0].wanted, 500);
  EXPECT_EQ(consumer.gaps[0].resumed_at, 0);
  EXPECT_EQ(consumer.messages[0].offset, 0);
}

TEST_F(KafkaSourceTest, APartitionTakenAgainIsReadFromThere) {
  for (int i = 0; i < 5; ++i) produce(0, std::to_string(i));
  Consumer consumer(start());
  until({&consumer}, [&] { return consumer.messages.size() == 5; });
  consumer.messages.clear();
  ASSERT_TRUE(consumer.source->start_at(kFirst, 2).has_value());
  until({&consumer}, [&] { return consumer.messages.size() == 3; });
  EXPECT_EQ(consumer.messages[0].payload, "2");
  EXPECT_EQ(consumer.messages[2].offset, 4);
}

TEST_F(KafkaSourceTest, APartitionThatLostItsPlaceTakesNoOtherBack) {
  produce(0, "first");
  for (int i = 0; i < 5; ++i) produce(1, std::to_string(i));
  Consumer consumer(start(), {{kFirst, 0}, {kSecond, 0}});
  until({&consumer}, [&] { return consumer.messages.size() == 6; });
  ASSERT_TRUE(consumer.source->start_at(kFirst, 500).has_value());
  until({&consumer}, [&] { return consumer.payloads_of(kFirst).size() == 2; });
  produce(1, "last");
  until({&consumer}, [&] { return consumer.payloads_of(kSecond).back() == "last"; });
  EXPECT_THAT(consumer.payloads_of(kSecond), ::testing::ElementsAre("0", "1", "2", "3", "4", "last"));
}

TEST_F(KafkaSourceTest, PausedNothingComesAndNothingIsLost) {
  Consumer consumer(start());
  until({&consumer}, [&] { return consumer.assigned.size() == 2; });
  consumer.source->pause(true);
  for (int i = 0; i < 3; ++i) produce(0, std::to_string(i));
  for (int i = 0; i < 10; ++i) consumer.poll();
  EXPECT_TRUE(consumer.messages.empty());
  consumer.source->pause(false);
  until({&consumer}, [&] { return consumer.messages.size() == 3; });
  EXPECT_EQ(consumer.messages[0].payload, "0");
}

TEST_F(KafkaSourceTest, TwoShareAndTakeOver) {
  Consumer first(start());
  until({&first}, [&] { return first.assigned.size() == 2; });
  Consumer second(start());
  until({&first, &second}, [&] { return first.assigned.size() == 1 && second.assigned.size() == 1; });
  EXPECT_EQ(first.revocations, 1);
  second.source.reset();  // leaves the group
  until({&first}, [&] { return first.assigned.size() == 2; });
}

TEST_F(KafkaSourceTest, ABrokerThatIsAwayIsSaidAndWaitedFor) {
  rd_kafka_mock_broker_set_down(cluster_.get(), 1);
  Consumer consumer(start({{"reconnect.backoff.max.ms", "200"}}));
  until({&consumer}, [&] { return !consumer.source->status().empty(); });
  EXPECT_THAT(consumer.source->status(), HasSubstr(bootstraps()));
  rd_kafka_mock_broker_set_up(cluster_.get(), 1);
  produce(0, "hello");
  until({&consumer}, [&] { return consumer.messages.size() == 1; });
  EXPECT_EQ(consumer.source->status(), "");
}

TEST_F(KafkaSourceTest, ATopicThatIsMissingIsSaidUntilItIsThereAlsoByWhoGetsNoneOfIt) {
  rd_kafka_mock_topic_create(cluster_.get(), "late", 1, 1);
  rd_kafka_mock_topic_set_error(cluster_.get(), "late", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
  const auto join = [&] { return start({{"topic.metadata.refresh.interval.ms", "200"}}, "late"); };
  Consumer first(join());
  Consumer second(join());
  for (const Consumer* consumer : {&first, &second}) {
    until({&first, &second}, [&] { return !consumer->source->status().empty(); });
    EXPECT_THAT(consumer->source->status(), HasSubstr("topic \"late\" does not exist"));
  }
  rd_kafka_mock_topic_set_error(cluster_.get(), "late", RD_KAFKA_RESP_ERR_NO_ERROR);
  until({&first, &second}, [&] { return first.source->status().empty() && second.source->status().empty(); });
}

TEST_F(KafkaSourceTest, APropertyThatDoesNotExistIsAMistake) {
  KafkaConnection connection;
  connection.brokers = {bootstraps()};
  connection.librdkafka = {{"no.such.property", "1"}};
  const auto source = KafkaSource::create(connection, {"access"}, "weir");
  ASSERT_FALSE(source.has_value());
  EXPECT_EQ(source.error().code, Code::kInvalid);
  EXPECT_THAT(source.error().what, HasSubstr("no.such.property"));
}

}  // namespace
}  // namespace weir
