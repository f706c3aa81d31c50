// Batches of windows: all or nothing, and never twice.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "aggregator/settle/settler.h"
#include "tests/unit/settle/batches.h"

namespace weir {
namespace {

using testing::batch_of;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::header_of;
using ::testing::IsEmpty;
using testing::Line;
using testing::message_at;
using testing::random_file;
using testing::windows_of;

constexpr std::int64_t kNow = 1'764'000'100'000;
const PartitionKey kPartition{"access", 0};
const SourceId kSource{1, 2};

class WindowsTest : public ::testing::Test {
 protected:
  WindowsTest() {
    SettlerConfig config;
    config.foreign_format.text = "$remote_addr [$time_iso8601] \"$request\" $status $bytes_sent $host";
    settler_ = std::move(*Settler::create(config, {}));
    PartitionState state;
    state.next_offset = 0;
    settler_->assign(kPartition, state);
  }
  void send(std::string payload) {
    const auto message = message_at(offset_++, std::move(payload));
    const auto need = settler_->need(message);
    if (const auto* load = std::get_if<Load>(&need)) {
      SourceState state;
      state.id = load->source;
      settler_->know_source(state);
    }
    settler_->apply(message, kNow);
  }
  Commit take() {
    auto commit = settler_->take(kPartition, "cluster");
    settler_->committed(commit);
    return commit;
  }

  std::unique_ptr<Settler> settler_;
  std::int64_t offset_ = 0;
};

std::uint64_t requests(const Commit& commit) {
  std::uint64_t sum = 0;
  for (const auto& [key, row] : commit.windows) sum += row.requests;
  return sum;
}

std::vector<Line> some_file(std::uint64_t seed, std::size_t lines) {
  std::mt19937_64 random(seed);
  return random_file(random, lines);
}

TEST_F(WindowsTest, TheTablesAreThoseOfRecords) {
  const auto file = some_file(1, 500);
  send(batch_of(file, 0, 500, header_of(kSource)));
  const auto want = take();
  const SourceId other{3, 4};
  for (std::size_t at = 0; at < 500; at += 100) send(windows_of(file, at, at + 100, header_of(other)));
  const auto got = take();
  EXPECT_EQ(got.windows, want.windows);
  EXPECT_EQ(got.dead_letter_count, want.dead_letter_count);
  ASSERT_EQ(got.sources.size(), 1U);
  EXPECT_EQ(got.sources[0].lines, want.sources[0].lines);
  EXPECT_EQ(got.sources[0].unparsed, want.sources[0].unparsed);
  EXPECT_EQ(got.sources[0].too_long, want.sources[0].too_long);
  EXPECT_GT(got.sources[0].too_long, 0U);
  EXPECT_EQ(got.sources[0].filtered, want.sources[0].filtered);
  EXPECT_EQ(got.sources[0].coverage, want.sources[0].coverage);
  EXPECT_THAT(got.dead_letters.at(0).text, HasSubstr("what is this"));
}

TEST_F(WindowsTest, WhatComesAgainIsCountedOnce) {
  const std::vector<Line> file(10);
  for (int i = 0; i < 3; ++i) send(windows_of(file, 0, 4, header_of(kSource)));
  send(windows_of(file, 4, 10, header_of(kSource)));
  send(windows_of(file, 0, 4, header_of(kSource)));
  send(windows_of(file, 0, 10, header_of(kSource)));  // as one, from an agent without the cut points: all of
                                                      // it was counted
  const auto commit = take();
  EXPECT_EQ(requests(commit), 10U);
  EXPECT_EQ(commit.dead_letter_count, 0U);
  EXPECT_THAT(commit.sources.at(0).coverage.gaps(), IsEmpty());
  EXPECT_EQ(settler_->counters().duplicate_bytes, 80U * 22);
}

TEST_F(WindowsTest, WhatOverlapsIsRefusedAndTheRestIsAGapUntilItComesAsRecords) {
  const std::vector<Line> file(10);
  send(windows_of(file, 0, 4, header_of(kSource)));
  send(windows_of(file, 2, 8, header_of(kSource)));
  send(windows_of(file, 8, 9, header_of(kSource)));
  auto commit = take();
  EXPECT_EQ(requests(commit), 5U);
  ASSERT_EQ(commit.dead_letters.size(), 1U);
  EXPECT_THAT(commit.dead_letters[0].reason, HasSubstr("160 bytes were counted already"));
  EXPECT_THAT(commit.sources.at(0).coverage.gaps(),
              ElementsAre(Gap{320, 640, LossCause::kWindowsRefused, kNow}));
  send(batch_of(file, 0, 10, header_of(kSource)));
  commit = take();
  EXPECT_EQ(requests(commit), 5U);
  EXPECT_THAT(commit.sources.at(0).coverage.gaps(), IsEmpty());
}

TEST_F(WindowsTest, ThePartsOfWhatWasRefusedCloseItsGap) {
  const std::vector<Line> file(10);
  send(windows_of(file, 0, 2, header_of(kSource)));  // cut again into smaller windows; the larger one arrives
                                                     // late
  send(windows_of(file, 0, 6, header_of(kSource)));
  send(windows_of(file, 2, 6, header_of(kSource)));
  const auto commit = take();
  EXPECT_EQ(requests(commit), 6U);
  EXPECT_THAT(commit.sources.at(0).coverage.gaps(), IsEmpty());
}

TEST_F(WindowsTest, WindowsOfAnotherLengthAreRefusedAndSayWhatToSet) {
  const std::vector<Line> file(3);
  send(windows_of(file, 0, 3, header_of(kSource), {.window_s = 300}));
  const auto commit = take();
  EXPECT_EQ(requests(commit), 0U);
  ASSERT_EQ(commit.dead_letters.size(), 1U);
  EXPECT_THAT(commit.dead_letters[0].reason, HasSubstr("set [ship] window = \"60s\" of agent agent-1"));
  EXPECT_THAT(commit.sources.at(0).coverage.gaps(),
              ElementsAre(Gap{0, 240, LossCause::kWindowsRefused, kNow}));
}

TEST_F(WindowsTest, WhatLiesBehindTheHighWaterMarkLeavesAGap) {
  const std::vector<Line> file(10);
  send(windows_of(file, 0, 2, header_of(kSource)));
  send(windows_of(file, 5, 6, header_of(kSource)));
  auto commit = take();
  EXPECT_THAT(commit.sources.at(0).coverage.gaps(),
              ElementsAre(Gap{160, 400, LossCause::kNotReceived, kNow}));
  send(windows_of(file, 2, 5, header_of(kSource)));
  commit = take();
  EXPECT_THAT(commit.sources.at(0).coverage.gaps(), IsEmpty());
  EXPECT_EQ(requests(commit), 3U);
}

}  // namespace
}  // namespace weir
