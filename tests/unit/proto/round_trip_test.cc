// Thousands of random batches are decoded to the same columns.
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>
#include <random>

#include "tests/unit/random_batch.h"

namespace weir {
namespace {

using testing::BatchMaker;
using testing::difference;
using testing::encode;

void come_back(std::uint64_t seed, int batches, std::size_t max_lines) {
  SCOPED_TRACE(::testing::Message() << "again with WEIR_TEST_SEED=" << seed);
  std::mt19937_64 random(seed);
  BatchMaker maker([&](std::uint64_t below) { return random() % below; });
  BatchBuilder builder;  // one for all: no batch may leave anything for the next
  for (int i = 0; i < batches; ++i) {
    const auto made = maker.batch(max_lines);
    const auto message = encode(made, builder);
    ASSERT_TRUE(message.has_value()) << "batch " << i << ": " << message.error().what;
    EXPECT_TRUE(looks_like_batch(*message));
    EXPECT_EQ(builder.lines(), made.lines.size());
    EXPECT_EQ(builder.content_bytes(), made.header.range.size());
    const auto batch = decode_batch(*message);
    ASSERT_TRUE(batch.has_value()) << "batch " << i << ": " << batch.error().what;
    ASSERT_EQ(difference(made, *batch), "") << "batch " << i;
    ASSERT_LE(batch->buffer_->size(), builder.columns_bytes()) << "batch " << i;
    const auto again = encode(made, builder);
    ASSERT_TRUE(again.has_value());
    ASSERT_EQ(*again, *message) << "batch " << i << ": the same lines are the same bytes";
  }
}

TEST(RoundTrip, ThousandsOfSmallBatchesComeBackInEveryColumn) { come_back(20261125, 10'000, 12); }

TEST(RoundTrip, LargeBatchesComeBackInEveryColumn) { come_back(20261126, 8, 20'000); }

TEST(RoundTrip, BatchesOfAFreshSeedComeBackInEveryColumn) {
  const char* given = std::getenv("WEIR_TEST_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  std::cout << "WEIR_TEST_SEED=" << seed << "\n";
  come_back(seed, 1000, 40);
}

// The check itself detects a difference in each part.
TEST(RoundTrip, ADifferenceIsSeen) {
  std::mt19937_64 random(7);
  BatchMaker maker([&](std::uint64_t below) { return random() % below; });
  BatchBuilder builder;
  int changed = 0;
  for (int i = 0; i < 300; ++i) {
    const auto made = maker.batch(20);
    const auto batch = decode_batch(encode(made, builder).value()).value();
    auto other = made;
    if (other.lines.empty()) continue;
    auto& line = other.lines[random() % other.lines.size()];
    if (line.kind == testing::MadeLine::Kind::kRecord) {
      switch (random() % 4) {
        case 0:
          line.time_ms = line.time_ms == 5 ? 6 : 5;
          break;
        case 1: {
          auto& text = line.text[random() % kTextCount];
          text = text ? std::optional<std::string>() : std::optional<std::string>("");
          break;
        }
        case 2: {
          auto& number = line.number[random() % kNumberCount];
          number = number ? number.value() / 2 + 1'000'000'000'000'000 : 0;
          break;
        }
        default:
          line.line_bytes ^= 1U;
      }
    } else if (line.kind == testing::MadeLine::Kind::kUnparsed) {
      line.reason = static_cast<Unparsed>((static_cast<int>(line.reason) + 1) % 4);
    } else {
      line.kind = testing::MadeLine::Kind::kUnparsed;
    }
    ++changed;
    ASSERT_NE(difference(other, batch), "") << i;
  }
  EXPECT_GT(changed, 200);
}

}  // namespace
}  // namespace weir
