#include "common/kafka_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/mock_kafka.h"

namespace weir {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr auto kDeadline = 20s;

class KafkaReaderTest : public ::testing::Test {
 protected:
  KafkaReaderTest() {
    options_.topic = "access";
    for (int i = 0; i < 5; ++i) kafka_.produce(0, "a" + std::to_string(i));
    for (int i = 0; i < 2; ++i) kafka_.produce(1, "b" + std::to_string(i));
  }

  [[nodiscard]] std::unique_ptr<KafkaReader> open(std::string_view start) {
    options_.start = parse_kafka_start(start).value();
    auto reader = KafkaReader::open(kafka_.connection(), options_);
    EXPECT_TRUE(reader.has_value()) << (reader ? "" : reader.error().what);
    return reader ? std::move(*reader) : nullptr;
  }
  // Reads until done(), or until `count` messages have arrived.
  static std::vector<std::string> read(KafkaReader& reader, std::size_t count = 1000) {
    std::vector<std::string> out;
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (!reader.done() && out.size() < count && std::chrono::steady_clock::now() < deadline) {
      auto record = reader.next(50ms);
      EXPECT_TRUE(record.has_value()) << record.error().what;
      if (record && *record) out.push_back((*record)->payload + "@" + std::to_string((*record)->offset));
    }
    return out;
  }
  std::vector<std::string> all_from(std::string_view start) {
    const auto reader = open(start);
    if (!reader) return {};
    auto out = read(*reader);
    EXPECT_TRUE(reader->done());
    return out;
  }

  testing::MockKafka kafka_{"access", 2};
  KafkaReadOptions options_;
};

TEST(KafkaStart, IsAWordANumberOrHowManyOfTheLast) {
  EXPECT_EQ(parse_kafka_start("beginning").value(), KafkaStart{});
  EXPECT_EQ(parse_kafka_start("end").value(), (KafkaStart{KafkaStart::From::kEnd, 0}));
  EXPECT_EQ(parse_kafka_start("0").value(), (KafkaStart{KafkaStart::From::kOffset, 0}));
  EXPECT_EQ(parse_kafka_start("120").value(), (KafkaStart{KafkaStart::From::kOffset, 120}));
  EXPECT_EQ(parse_kafka_start("-10").value(), (KafkaStart{KafkaStart::From::kLast, 10}));
  for (const char* wrong :
       {"", "start", "1x", "+1", "--1", "-", "1.5", "99999999999999999999", "-9223372036854775808"})
    EXPECT_FALSE(parse_kafka_start(wrong).has_value()) << wrong;
}

TEST_F(KafkaReaderTest, ReadsWhatIsThereAndEnds) {
  EXPECT_THAT(all_from("beginning"),
              UnorderedElementsAre("a0@0", "a1@1", "a2@2", "a3@3", "a4@4", "b0@0", "b1@1"));
  EXPECT_THAT(all_from("end"), IsEmpty());
}

TEST_F(KafkaReaderTest, BeginsInEachPartitionWhereItWasTold) {
  EXPECT_THAT(all_from("-1"), UnorderedElementsAre("a4@4", "b1@1"));
  EXPECT_THAT(all_from("-3"), UnorderedElementsAre("a2@2", "a3@3", "a4@4", "b0@0", "b1@1"));
  EXPECT_THAT(all_from("2"), ElementsAre("a2@2", "a3@3", "a4@4")) << "partition 1 ends at 2";
  options_.partitions = {0, 0};
  EXPECT_THAT(all_from("3"), ElementsAre("a3@3", "a4@4"));
  EXPECT_THAT(all_from("5"), IsEmpty());
}

TEST_F(KafkaReaderTest, WhatComesAfterwardsIsForThoseWhoFollow) {
  const auto to_end = open("beginning");
  options_.follow = true;
  const auto follower = open("end");
  kafka_.produce(1, "late");
  EXPECT_EQ(read(*to_end).size(), 7U);
  EXPECT_THAT(read(*follower, 1), ElementsAre("late@2"));
  EXPECT_FALSE(follower->done());
}

TEST_F(KafkaReaderTest, OffsetsThatAreNotThereAreSaid) {
  options_.start = {KafkaStart::From::kOffset, 6};
  const auto reader = KafkaReader::open(kafka_.connection(), options_);
  ASSERT_FALSE(reader.has_value());
  EXPECT_THAT(reader.error().what, HasSubstr("access[0] has no offset 6 yet; it ends at 5"));
  EXPECT_EQ(reader.error().code, Code::kNotFound);
}

TEST_F(KafkaReaderTest, TopicsPartitionsAndBrokersThatAreNotThereAreErrors) {
  options_.partitions = {2};
  auto reader = KafkaReader::open(kafka_.connection(), options_);
  ASSERT_FALSE(reader.has_value());
  EXPECT_EQ(reader.error().code, Code::kNotFound);
  EXPECT_THAT(reader.error().what, HasSubstr("topic access has no partition 2"));
  options_.partitions.clear();
  options_.answer_timeout = 200ms;
  KafkaConnection nobody;
  nobody.brokers = {"127.0.0.1:1"};
  reader = KafkaReader::open(nobody, options_);
  ASSERT_FALSE(reader.has_value());
  EXPECT_EQ(reader.error().code, Code::kUnavailable);
  EXPECT_THAT(reader.error().what, HasSubstr("no broker of 127.0.0.1:1 answers within 200 ms"));
}

TEST_F(KafkaReaderTest, PropertiesOfAGroupAreNotTaken) {
  auto connection = kafka_.connection();
  connection.librdkafka = {{"group.id", "weir"}, {"enable.auto.commit", "true"}, {"linger.ms", "5"}};
  options_.start = {};
  auto reader = KafkaReader::open(connection, options_);
  ASSERT_TRUE(reader.has_value()) << reader.error().what;
  EXPECT_EQ(read(**reader).size(), 7U);
  connection.librdkafka = {{"fetch.min.bytes", "no number"}};
  reader = KafkaReader::open(connection, options_);
  ASSERT_FALSE(reader.has_value());
  EXPECT_EQ(reader.error().code, Code::kInvalid);
}

TEST_F(KafkaReaderTest, ABrokerThatComesBackIsReadOn) {
  options_.follow = true;
  const auto reader = open("end");
  kafka_.set_up(false);
  const auto deadline = std::chrono::steady_clock::now() + kDeadline;
  while (reader->status().empty() && std::chrono::steady_clock::now() < deadline)
    ASSERT_TRUE(reader->next(50ms).has_value());
  EXPECT_NE(reader->status(), "");
  kafka_.set_up(true);
  kafka_.produce(0, "again");
  EXPECT_THAT(read(*reader, 1), ElementsAre("again@5"));
  EXPECT_EQ(reader->status(), "");
}

}  // namespace
}  // namespace weir
