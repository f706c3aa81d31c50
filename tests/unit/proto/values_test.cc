#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "proto/coverage.h"
#include "proto/histogram.h"
#include "proto/source_id.h"

namespace weir {
namespace {

// The model: each byte separately.
TEST(Coverage, agrees_with_a_set_of_bytes) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    Coverage coverage;
    std::set<std::uint64_t> counted;
    for (int step = 0; step < 30; ++step) {
      const auto begin = random() % 60;
      const ByteRange range{begin, begin + random() % 12};
      std::set<std::uint64_t> expected;
      for (auto byte = range.begin; byte < range.end; ++byte) {
        if (!counted.contains(byte)) expected.insert(byte);
      }
      std::set<std::uint64_t> got;
      for (const auto& part : coverage.uncovered(range)) {
        EXPECT_FALSE(part.empty());
        for (auto byte = part.begin; byte < part.end; ++byte) EXPECT_TRUE(got.insert(byte).second);
      }
      ASSERT_EQ(got, expected);
      coverage.add(range, 0);
      counted.insert(expected.begin(), expected.end());
      ASSERT_TRUE(coverage.valid());
      if (!counted.empty()) {
        EXPECT_EQ(coverage.high_water(), *counted.rbegin() + 1);
        EXPECT_EQ(coverage.gap_bytes(), coverage.high_water() - counted.size());
        EXPECT_EQ(Coverage(coverage.origin(), coverage.high_water(), coverage.gaps()), coverage);
      }
    }
  }
}

TEST(Coverage, gaps_that_meet_become_one) {
  Coverage coverage;
  coverage.add({20, 30}, 10);  // [10, 20) was lost
  coverage.add({0, 5}, 0);     // then the agent was told to begin earlier
  EXPECT_EQ(coverage.gaps(), (std::vector<Gap>{{5, 20}}));
  EXPECT_TRUE(coverage.valid());
  // A store in which an earlier weir left two adjacent gaps is still readable.
  EXPECT_EQ(Coverage(0, 30, {{5, 10}, {10, 20}}), coverage);
}

TEST(Coverage, what_is_lost_agrees_with_a_set_of_bytes) {
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    Coverage coverage;
    std::set<std::uint64_t> counted;
    std::uint64_t known = 0;
    for (int step = 0; step < 30; ++step) {
      const std::uint64_t begin = random() % 60;
      const ByteRange range{begin, begin + 1 + random() % 12};
      known = std::max(known, range.end);
      if (random() % 2 == 0) {
        coverage.add(range, 0);
        for (auto byte = range.begin; byte < range.end; ++byte) counted.insert(byte);
      } else {
        coverage.lose(range, 0, LossCause::kTruncatedUnread, step);
        const auto once = coverage;
        coverage.lose(range, 0, LossCause::kTruncatedUnread, step + 1);
        EXPECT_EQ(coverage, once) << "twice is once";
      }
      ASSERT_TRUE(coverage.valid());
      EXPECT_EQ(coverage.high_water(), known);
      EXPECT_EQ(coverage.counted_bytes(), counted.size());
      EXPECT_EQ(coverage.gap_bytes(), known - counted.size());
    }
  }
}

TEST(Coverage, a_gap_keeps_the_better_cause) {
  Coverage coverage;
  coverage.add({0, 10}, 0);
  coverage.add({30, 40}, 0, LossCause::kRetention, 5);
  coverage.add({60, 70}, 0, LossCause::kNotReceived, 6);
  coverage.lose({20, 55}, 0, LossCause::kDeletedUnread, 7);
  EXPECT_EQ(coverage.gaps(), (std::vector<Gap>{{10, 30, LossCause::kRetention, 5},
                                               {40, 55, LossCause::kDeletedUnread, 6},
                                               {55, 60, LossCause::kNotReceived, 6}}));
  coverage.add({10, 60}, 0);
  EXPECT_TRUE(coverage.gaps().empty()) << "what comes after all closes it";
}

TEST(Coverage, what_lies_below_the_origin_is_no_gap) {
  Coverage coverage;
  coverage.add({100, 200}, 100);
  EXPECT_EQ(coverage.gap_bytes(), 0U);
  coverage.add({0, 50}, 0);
  EXPECT_EQ(coverage.gaps(), (std::vector<Gap>{{50, 100}})) << "the agent was told to begin earlier";
}

TEST(Histogram, buckets_are_narrow_and_consistent) {
  for (std::uint64_t value = 0; value < 200'000; ++value) {
    const auto bucket = Histogram::bucket_of(value);
    const auto low = Histogram::lower_bound_ms(bucket);
    const auto high = Histogram::lower_bound_ms(static_cast<std::uint16_t>(bucket + 1));
    ASSERT_LE(low, value);
    ASSERT_LT(value, high);
    ASSERT_LE((high - low) * 32, std::max<std::uint64_t>(low, 32));
  }
  EXPECT_EQ(Histogram::bucket_of(~0ULL), 1919);
}

TEST(Histogram, quantiles_are_within_the_bound) {
  Histogram histogram;
  for (std::uint64_t value = 1; value <= 10'000; ++value) histogram.add(value);
  for (const double q : {0.01, 0.5, 0.95, 0.99, 1.0})
    EXPECT_NEAR(histogram.quantile_ms(q), q * 10'000, q * 10'000 / 64 + 1) << q;
  EXPECT_EQ(Histogram().quantile_ms(0.5), 0);
}

// Whatever buckets they have in common or alone: the sum of each bucket, once, in order.
TEST(Histogram, merged_is_the_sum_of_each_bucket) {
  std::mt19937_64 random(7);
  const auto some = [&](std::map<std::uint16_t, std::uint64_t>& expected) {
    Histogram histogram;
    const auto span = 1 + random() % 64;
    std::uint64_t bucket = random() % span;
    for (auto left = random() % 200; left > 0 && bucket < Histogram::kBuckets; --left) {
      const auto count = random() % 50 == 0 ? ~0ULL - random() % 2 : 1 + random() % 1000;
      histogram.append(static_cast<std::uint16_t>(bucket), count);
      auto& sum = expected[static_cast<std::uint16_t>(bucket)];
      sum = sum + count < sum ? ~0ULL : sum + count;
      bucket += 1 + random() % span;
    }
    return histogram;
  };
  for (int round = 0; round < 3000; ++round) {
    std::map<std::uint16_t, std::uint64_t> expected;
    auto a = some(expected);
    a.merge(some(expected));
    ASSERT_TRUE(
        std::equal(a.buckets().begin(), a.buckets().end(), expected.begin(), expected.end(),
                   [](const auto& x, const auto& y) { return x.first == y.first && x.second == y.second; }))
        << "round " << round;
  }
}

TEST(Histogram, encoded_comes_back_and_hostile_bytes_do_not) {
  std::mt19937_64 random(1);
  Histogram a;
  Histogram b;
  Histogram both;
  for (int i = 0; i < 1000; ++i) {
    const auto value = random() >> random() % 64;
    (i % 3 == 0 ? a : b).add(value);
    both.add(value);
  }
  a.merge(b);
  EXPECT_EQ(a, both);
  const auto bytes = a.encode();
  EXPECT_EQ(Histogram::decode(bytes).value(), a);
  EXPECT_TRUE(Histogram::decode("").value().empty());
  EXPECT_FALSE(Histogram::decode(bytes.substr(0, bytes.size() - 1)).has_value());
  EXPECT_FALSE(Histogram::decode("\x02").has_value());
  using std::string_literals::operator""s;
  EXPECT_FALSE(Histogram::decode("\x01\x05\x00"s).has_value()) << "a count of zero";
  EXPECT_FALSE(Histogram::decode("\x01\x05\x01\x00\x01"s).has_value()) << "a bucket twice";
  EXPECT_FALSE(Histogram::decode("\x01\xff\xff\x03\x01"s).has_value()) << "a bucket out of range";
}

TEST(SourceId, hex_and_bytes_come_back) {
  const auto id = make_source_id("a", "b", "c");
  EXPECT_EQ(SourceId::from_hex(id.hex()).value(), id);
  EXPECT_EQ(SourceId::from_bytes(id.bytes()).value(), id);
  EXPECT_FALSE(SourceId::from_hex("x").has_value());
  EXPECT_FALSE(SourceId::from_hex(std::string(32, 'G')).has_value());
  EXPECT_FALSE(SourceId::from_bytes("short").has_value());
}

TEST(SourceId, parts_do_not_run_into_each_other) {
  EXPECT_NE(make_source_id("ab", "c", "d"), make_source_id("a", "bc", "d"));
  EXPECT_NE(make_source_id("a", "b", "c"), make_source_id("a", "b", "c", "1:2"));
  EXPECT_EQ(make_source_id("a", "b", std::string(5000, 'x')),
            make_source_id("a", "b", std::string(4096, 'x')));
}

}  // namespace
}  // namespace weir
