// The core's decisions about what is shipped as windows.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <tuple>
#include <utility>

#include "tests/unit/agent/core_test_parts.h"
#include "tests/unit/gzip.h"

namespace weir {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(AgentCoreTest, WindowsGatherInTheFileForTheirInterval) {
  config_.output.kafka.ship = Ship::kWindows;
  const auto log = files_.create("/l/a.log");
  files_.append(log, line(1));
  start();
  run(9000);
  EXPECT_THAT(output_->sent, IsEmpty());
  files_.append(log, line(2));
  run(2000);
  ASSERT_EQ(output_->sent.size(), 1U);
  EXPECT_EQ(output_->sent[0].header.kind, BatchKind::kWindows);
  EXPECT_EQ(output_->sent[0].header.range, (ByteRange{0, line(1).size() * 2}));
  EXPECT_EQ(output_->sent[0].lines, 2U);
  EXPECT_EQ(core_->status().shipped_lines, 2U);
  run(20'000);
  EXPECT_TRUE(core_->status().caught_up);
  EXPECT_EQ(output_->sent.size(), 1U);
}

TEST_F(AgentCoreTest, ABacklogOfWindowsIsCutAtMultiplesOfItsBatch) {
  config_.output.kafka.ship = Ship::kWindows;
  config_.ship.windows_batch_max = 1024;
  const auto log = files_.create("/l/a.log");
  for (int n = 0; n < 100; ++n) files_.append(log, line(n));
  start();
  run(20'000);
  const auto first = output_->ranges(BatchKind::kWindows);
  ASSERT_GE(first.size(), 6U);
  for (std::size_t i = 0; i + 1 < first.size(); ++i) {
    EXPECT_EQ(first[i].end / 1024, i + 1) << "the first line that ends behind a multiple";
    EXPECT_EQ(first[i].end, first[i + 1].begin);
  }
  // It cuts at the same place without its registry.
  disk_.wipe();
  start();
  run(20'000);
  EXPECT_EQ(output_->ranges(BatchKind::kWindows), first);
}

TEST_F(AgentCoreTest, WindowsAreCutAgainWhereTheyWereCutWhateverHappens) {
  config_.output.kafka.ship = Ship::kWindows;
  config_.ship.windows_batch_max = 1 << 20;
  const auto log = files_.create("/l/a.log");
  files_.append(log, line(1));
  start();
  run(11'000, false);
  files_.append(log, line(2) + line(3));
  run(11'000, false);
  const std::vector<ByteRange> sent = {{0, line(1).size()}, {line(1).size(), line(1).size() * 3}};
  ASSERT_EQ(output_->ranges(BatchKind::kWindows), sent);
  const Error away{Code::kUnavailable, "away", ""};
  output_->answer(&away);
  files_.append(log, line(4));
  run(3000, false);
  ASSERT_EQ(output_->ranges(BatchKind::kWindows),
            (std::vector<ByteRange>{sent[0], sent[1], sent[0], sent[1]}));
  disk_.lose_last(100);  // killed by a power cut
  start();
  run(5000);
  EXPECT_EQ(output_->ranges(BatchKind::kWindows), sent);
  run(11'000);
  EXPECT_EQ(output_->ranges(BatchKind::kWindows).back(), (ByteRange{line(1).size() * 3, line(1).size() * 4}));
}

TEST_F(AgentCoreTest, WindowsThatTheTopicDoesNotTakeAreCutInBetween) {
  config_.output.kafka.ship = Ship::kWindows;
  const auto log = files_.create("/l/a.log");
  for (int n = 100; n < 200; ++n) files_.append(log, line(n));
  start();
  run(11'000, false);
  const Error too_large{Code::kInvalid, "too large", ""};
  output_->answer(&too_large);
  run(3000);
  const auto ranges = output_->ranges(BatchKind::kWindows);
  ASSERT_EQ(ranges.size(), 3U);
  EXPECT_EQ(ranges[1].end, ranges[2].begin);
  EXPECT_EQ(ranges[2].end, ranges[0].end);
}

TEST_F(AgentCoreTest, WindowsWaitUntilTheRegistryHasWhereTheyEnd) {
  config_.output.kafka.ship = Ship::kWindows;
  const auto log = files_.create("/l/a.log");
  files_.append(log, line(1));
  write_fails_ = 1000;
  start();
  run(15'000);
  EXPECT_THAT(output_->sent, IsEmpty());
  EXPECT_THAT(said_, Contains(HasSubstr("simulated full disk")));
  EXPECT_EQ(core_->status().in_flight_bytes, 0U);
  write_fails_ = 0;
  run(15'000);
  EXPECT_EQ(output_->ranges(BatchKind::kWindows), (std::vector<ByteRange>{{0, line(1).size()}}));
  EXPECT_EQ(core_->status().read_lines, 1U);
  EXPECT_THAT(core_->status().problems, IsEmpty());
}

// One after the other within one round of turns: all of them are taken back.
TEST_F(AgentCoreTest, BatchesOfACompressedFileThatTheRegistryCouldNotTakeAreReadAgainFromTheFirst) {
  config_.output.kafka.ship = Ship::kWindows;
  config_.ship.windows_batch_max = 1024;
  config_.inputs[0].paths = {"/l/a.log.*"};
  std::string text;
  for (int n = 100; n < 200; ++n) text += line(n);
  for (const char* path : {"/l/a.log.2.gz", "/l/a.log.1.gz"})
    files_.append(files_.create(path), testing::gzip(path + (" \n" + text)));
  write_fails_ = 1000;
  start();
  run(1000);
  EXPECT_THAT(output_->sent, IsEmpty());
  EXPECT_EQ(core_->status().in_flight_bytes, 0U);
  write_fails_ = 0;
  run(15'000);
  std::map<std::string, std::uint64_t> ends;
  for (const auto& sent : output_->sent) {
    if (sent.header.kind != BatchKind::kWindows) continue;
    EXPECT_EQ(std::exchange(ends[sent.header.path], sent.header.range.end), sent.header.range.begin);
  }
  EXPECT_EQ(core_->status().read_lines, 202U);
  EXPECT_EQ(ends["/l/a.log.1.gz"], text.size() + 15);
  EXPECT_TRUE(core_->status().caught_up);
}

TEST_F(AgentCoreTest, WhatMayHaveBeenSentAsRecordsGoesAsRecordsAgain) {
  const auto log = files_.create("/l/a.log");
  files_.append(log, line(1));
  start();
  run(1000, false);
  files_.append(log, line(2));
  run(2000, false);
  const auto seen = log->bytes.size();
  ASSERT_EQ(output_->ranges(BatchKind::kRecords).back().end, seen);
  config_.output.kafka.ship = Ship::kWindows;  // killed and restarted
  start();
  run(1000);
  EXPECT_EQ(output_->ranges(BatchKind::kRecords), (std::vector<ByteRange>{{0, seen}}));
  files_.append(log, line(3));
  run(12'000);
  EXPECT_EQ(output_->ranges(BatchKind::kWindows), (std::vector<ByteRange>{{seen, seen + line(3).size()}}));
  start();  // it is now on record
  files_.append(log, line(4));
  run(12'000);
  EXPECT_THAT(output_->ranges(BatchKind::kRecords), IsEmpty());
  EXPECT_EQ(output_->ranges(BatchKind::kWindows).size(), 1U);
  // And back to records: the reader cuts off their overlap with windows that were in flight.
  config_.output.kafka.ship = Ship::kRecords;
  start();
  files_.append(log, line(5));
  run(2000);
  EXPECT_THAT(output_->ranges(BatchKind::kWindows), IsEmpty());
  EXPECT_FALSE(disk_.image.entries.begin()->second.cuts_known);
}

TEST_F(AgentCoreTest, EachRouteIsSentAgainWhatItFailedAndTheRangeCountsWhenBothHaveIt) {
  config_.output.kafka.ship = Ship::kBoth;
  config_.ship.heartbeat_interval = std::chrono::seconds(2);
  const auto log = files_.create("/l/a.log");
  files_.append(log, line(1));
  start();
  run(1000, false);
  ASSERT_EQ(output_->sent.size(), 2U);
  EXPECT_EQ(output_->sent[0].header.kind, BatchKind::kRecords);
  EXPECT_EQ(output_->sent[0].route, 0U);
  EXPECT_EQ(output_->sent[1].header.kind, BatchKind::kWindows);
  EXPECT_EQ(output_->sent[1].route, 1U);
  EXPECT_EQ(output_->sent[0].header.range, output_->sent[1].header.range);
  output_->answer_one();
  EXPECT_EQ(core_->status().shipped_lines, 0U);
  const Error away{Code::kUnavailable, "away", ""};
  output_->answer_one(&away);
  run(1000, false);
  ASSERT_EQ(output_->sent.size(), 3U) << "the records are acknowledged";
  EXPECT_EQ(output_->sent[2].header.kind, BatchKind::kWindows);
  EXPECT_EQ(output_->sent[2].header.range, output_->sent[1].header.range);
  EXPECT_EQ(core_->status().sources[0].acknowledged_offset, 0U);
  output_->answer_one();
  EXPECT_EQ(core_->status().shipped_lines, 1U);
  EXPECT_EQ(core_->status().sources[0].acknowledged_offset, line(1).size());
  run(3000);
  std::map<bool, int> heartbeats, claims;
  for (const auto& sent : output_->sent) {
    if (sent.header.kind == BatchKind::kHeartbeat) ++heartbeats[sent.route];
    if (sent.header.kind == BatchKind::kClaim) ++claims[sent.route];
  }
  EXPECT_GE(heartbeats[false], 1);
  EXPECT_EQ(heartbeats[false], heartbeats[true]);
  EXPECT_EQ(claims, (std::map<bool, int>{{false, 1}, {true, 1}}));
}

// The registry stores the position of each.
TEST_F(AgentCoreTest, ARouteThatIsAheadSkipsWhatItHasAfterARestart) {
  config_.output.kafka.ship = Ship::kBoth;
  const auto log = files_.create("/l/a.log");
  files_.append(log, line(1));
  start();
  run(1000, false);
  output_->answer_one();  // of the records
  run(1000, false);       // and the registry is written
  files_.append(log, line(2));
  start();
  run(3000);
  const auto size = line(1).size();
  EXPECT_EQ(output_->ranges(BatchKind::kRecords), (std::vector<ByteRange>{{size, 2 * size}}));
  EXPECT_EQ(output_->ranges(BatchKind::kWindows), (std::vector<ByteRange>{{0, size}, {size, 2 * size}}));
  EXPECT_TRUE(core_->status().caught_up);
}

TEST_F(AgentCoreTest, TheStatusSaysHowFarEachRouteIs) {
  config_.output.kafka.ship = Ship::kBoth;
  config_.output.kafka.topic = "weir";
  config_.output.kafka.windows_topic = "sums";
  files_.append(files_.create("/l/a.log"), line(1));
  start();
  run(1000, false);
  output_->answer_one();  // the records
  const auto status = core_->status();
  ASSERT_EQ(status.routes.size(), 2U);
  EXPECT_EQ(status.routes[0].name, "batch");
  EXPECT_EQ(status.routes[0].topic, "weir");
  EXPECT_EQ(status.routes[0].lag_bytes, 0U);
  EXPECT_EQ(status.routes[1].name, "windows");
  EXPECT_EQ(status.routes[1].topic, "sums");
  EXPECT_EQ(status.routes[1].lag_bytes, line(1).size());
  EXPECT_GT(status.routes[0].wire_bytes, 0U);
  EXPECT_GT(status.routes[1].wire_bytes, 0U);
  EXPECT_EQ(status.routes[0].wire_bytes + status.routes[1].wire_bytes, status.wire_bytes);
  EXPECT_EQ(status.sources[0].acknowledged_offset, 0U) << "by both";
  EXPECT_EQ(status.sources[0].routes, (std::vector{RouteOffset{"batch", line(1).size()}}));
  output_->answer_one();
  EXPECT_EQ(core_->status().routes[1].lag_bytes, 0U);
}

// A new route begins where the others are; a removed one holds nothing up.
TEST_F(AgentCoreTest, RoutesComeAndGoWithTheConfiguration) {
  const auto log = files_.create("/l/a.log");
  files_.append(log, line(1));
  start();
  run();
  config_.output.kafka.ship = Ship::kBoth;
  start();
  files_.append(log, line(2));
  run(3000);
  const auto size = line(1).size();
  EXPECT_EQ(output_->sent[0].header.range, (ByteRange{size, 2 * size}));
  EXPECT_EQ(output_->sent[0].route, 0U);
  EXPECT_EQ(output_->sent[1].header.range, (ByteRange{size, 2 * size}));
  EXPECT_EQ(output_->sent[1].route, 1U);
  config_.output.kafka.ship = Ship::kRecords;
  start();
  files_.append(log, line(3));
  run(3000);
  EXPECT_EQ(output_->ranges(BatchKind::kRecords), (std::vector<ByteRange>{{2 * size, 3 * size}}));
}

}  // namespace
}  // namespace weir
