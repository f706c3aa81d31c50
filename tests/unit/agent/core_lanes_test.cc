// Whose turn it is: live files before rotated ones, which have a budget.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <utility>

#include "tests/unit/agent/core_test_parts.h"
#include "tests/unit/gzip.h"

namespace weir {
namespace {

constexpr std::uint64_t kBatchBytes = 1024;
constexpr std::uint64_t kBatchesInFlight = 4;

class CoreLanesTest : public AgentCoreTest {
 protected:
  CoreLanesTest() {
    config_.inputs[0].paths.emplace_back("/l/a.log.*");
    config_.ship.batch_max_bytes = kBatchBytes;
    config_.ship.max_in_flight = kBatchesInFlight * kBatchBytes;
  }
  std::shared_ptr<sim::Inode> filled(const std::string& path, int from, int lines) {
    auto file = files_.create(path);
    for (int n = from; n < from + lines; ++n) files_.append(file, line(n));
    return file;
  }
  void work() {
    core_->tick();
    while (core_->work()) {
    }
  }
  // Answers one batch after the other until nothing is left. Returns the headers in order.
  std::vector<BatchHeader> all_batches() {
    for (int step = 0; step < 2000; ++step) {
      work();
      if (output_->answered < output_->sent.size()) {
        output_->answer_one();
      } else {
        clock_.advance(100);
      }
    }
    EXPECT_TRUE(core_->status().caught_up);
    std::vector<BatchHeader> batches;
    for (const auto& sent : output_->sent) {
      if (sent.header.kind == BatchKind::kRecords) batches.push_back(sent.header);
    }
    return batches;
  }
  // As long as the live file had two batches or more to read.
  static std::map<std::string, std::uint64_t> bytes_by_path(const std::vector<BatchHeader>& batches,
                                                            std::uint64_t live_bytes) {
    std::map<std::string, std::uint64_t> bytes;
    for (const auto& batch : batches) {
      if (batch.path == "/l/a.log" && batch.range.end + 2 * kBatchBytes > live_bytes) break;
      bytes[batch.path] += batch.range.size();
    }
    return bytes;
  }
};

TEST_F(CoreLanesTest, RotatedFilesHaveTheirShareWhileLiveOnesHaveMore) {
  for (const unsigned percent : {10U, 25U, 75U, 90U}) {
    config_.ship.backlog.percent = percent;
    const auto live = filled("/l/a.log", 10'000, 1000);
    filled("/l/a.log.1", 20'000, 5000);
    filled("/l/a.log.2", 30'000, 5000);
    disk_.wipe();
    start();
    const auto batches = all_batches();
    ASSERT_FALSE(batches.empty());
    EXPECT_EQ(batches.front().path, "/l/a.log");
    const auto bytes = bytes_by_path(batches, live->bytes.size());
    const auto first = static_cast<double>(bytes.at("/l/a.log.1"));
    const auto second = static_cast<double>(bytes.at("/l/a.log.2"));
    const auto all = first + second + static_cast<double>(bytes.at("/l/a.log"));
    EXPECT_NEAR((first + second) / all, percent / 100.0, 0.03);
    EXPECT_NEAR(first / second, 1, 0.3) << "turns are fair among them";
  }
}

// Also with one rotated file and one live file, or many.
TEST_F(CoreLanesTest, TheShareIsOfBytesAndNotOfFiles) {
  config_.inputs[0].paths = {"/l/*.log", "/l/*.log.1"};
  config_.ship.backlog.percent = 80;
  for (const auto& [live_files, batches_in_flight] : {std::pair(1, 4), std::pair(12, 4), std::pair(1, 100)}) {
    config_.ship.max_in_flight = static_cast<std::uint64_t>(batches_in_flight) * kBatchBytes;
    for (const auto& [path, inode] : std::map(files_.names())) files_.unlink(path);
    disk_.wipe();
    std::uint64_t live_bytes = 0;
    for (int n = 0; n < live_files; ++n)
      live_bytes +=
          filled("/l/" + std::to_string(n) + ".log", 10'000 * (n + 1), 600 / live_files)->bytes.size();
    filled("/l/0.log.1", 900'000, 6000);
    start();
    std::uint64_t live = 0;
    std::uint64_t rotated = 0;
    for (const auto& batch : all_batches()) {
      if (live + 12 * kBatchBytes > live_bytes) break;
      (batch.path == "/l/0.log.1" ? rotated : live) += batch.range.size();
    }
    EXPECT_NEAR(static_cast<double>(rotated) / static_cast<double>(live + rotated), 0.8, 0.03)
        << live_files << " live files, " << batches_in_flight << " batches in flight";
  }
}

TEST_F(CoreLanesTest, WithoutAShareRotatedFilesWaitUntilLiveOnesHaveNothing) {
  config_.ship.backlog.percent = 0;
  const auto live = filled("/l/a.log", 10'000, 500);
  const auto rotated = filled("/l/a.log.1", 20'000, 500);
  start();
  const auto batches = all_batches();
  EXPECT_THAT(bytes_by_path(batches, live->bytes.size()), ::testing::SizeIs(1));
  EXPECT_EQ(core_->status().shipped_bytes, live->bytes.size() + rotated->bytes.size());
}

TEST_F(CoreLanesTest, WhatALiveFileGetsLeavesWithoutAnAcknowledgementOfTheBacklog) {
  filled("/l/a.log.1", 20'000, 500);
  const auto live = filled("/l/a.log", 10'000, 1);
  start();
  work();
  output_->answer();
  work();
  const auto sent = output_->sent.size();
  ASSERT_GE(sent, 3U);
  ASSERT_EQ(output_->sent.back().header.path, "/l/a.log.1");
  work();
  ASSERT_EQ(output_->sent.size(), sent) << "no more fits";
  files_.append(live, line(1));
  core_->path_changed("/l/a.log", false);
  work();
  ASSERT_EQ(output_->sent.size(), sent + 1);
  EXPECT_EQ(output_->sent.back().header.path, "/l/a.log");
}

TEST_F(CoreLanesTest, TheRateOfRotatedFilesIsTheOperators) {
  config_.ship.backlog.bytes_per_s = 2048;
  const auto rotated = filled("/l/a.log.1", 20'000, 400);
  const auto live = filled("/l/a.log", 10'000, 400);
  start();
  run(5000);
  const auto status = core_->status();
  EXPECT_EQ(status.read_bytes - live->bytes.size(), status.shipped_bytes - live->bytes.size());
  EXPECT_GE(status.shipped_bytes, live->bytes.size() + 5 * 2048 - kBatchBytes);
  EXPECT_LE(status.shipped_bytes, live->bytes.size() + 6 * 2048 + kBatchBytes);
  EXPECT_EQ(status.backlog_bytes, live->bytes.size() + rotated->bytes.size() - status.shipped_bytes);
  // Applied by a reload.
  config_.ship.backlog.bytes_per_s = 0;
  core_->reload(config_);
  run(1000);
  EXPECT_TRUE(core_->status().caught_up);
  EXPECT_EQ(core_->status().backlog_bytes, 0U);
}

TEST_F(CoreLanesTest, AFileWithoutASuccessorIsLiveThoughItsNameIsARotatedOnes) {
  const auto renamed = filled("/l/a.log.1", 20'000, 10);
  start();
  output_->partitions = 0;
  run(1000, false);
  EXPECT_EQ(core_->status().backlog_bytes, 0U) << "its writer goes on in it";
  filled("/l/a.log", 10'000, 10);
  core_->path_changed("/l/a.log", true);
  run(1000, false);
  EXPECT_EQ(core_->status().backlog_bytes, renamed->bytes.size());
  files_.append(files_.create("/l/a.log.2.gz"), testing::gzip(line(1)));
  core_->path_changed("/l/a.log.2.gz", true);
  output_->partitions = 1;
  run(1000);
  EXPECT_TRUE(core_->status().caught_up);
}

// With a decompressor each, every file that was begun would take megabytes.
TEST_F(CoreLanesTest, CompressedFilesAreReadOneAfterTheOtherInTurnWithTheOthers) {
  for (int n = 1; n <= 4; ++n) {
    std::string text;
    for (int i = 0; i < 100; ++i) text += line(10'000 * n + i);
    files_.append(files_.create("/l/a.log." + std::to_string(n + 1) + ".gz"), testing::gzip(text));
  }
  filled("/l/a.log.1", 60'000, 100);
  start();
  std::vector<std::string> packed;
  std::size_t begun_before_plain_ended = 0;
  for (const auto& batch : all_batches()) {
    if (!batch.path.ends_with(".gz")) begun_before_plain_ended = packed.size();
    if (batch.path.ends_with(".gz") && (packed.empty() || packed.back() != batch.path))
      packed.push_back(batch.path);
  }
  EXPECT_THAT(packed,
              ::testing::ElementsAre("/l/a.log.5.gz", "/l/a.log.4.gz", "/l/a.log.3.gz", "/l/a.log.2.gz"));
  EXPECT_LE(begun_before_plain_ended, 2U) << "turns are fair";
}

// Its remaining content is not growth of the file, which would request another turn.
TEST_F(CoreLanesTest, ACompressedFileThatGaveAnErrorWhileItWasAskedForIsReadToItsEnd) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += line(i);
  files_.append(files_.create("/l/a.log.1.gz"), testing::gzip(text));
  start();
  files_.faults.random = &random_;
  int looks = 0;
  files_.between = [&] {
    if (output_->sent.empty()) return;
    ++looks;
    if (looks == 1) core_->path_changed("/l/a.log.1.gz", false);  // during its turn
    files_.faults.error_per_mille = looks == 1 ? 1000 : 0;
  };
  run(30'000);
  EXPECT_GT(looks, 1);
  EXPECT_EQ(core_->status().shipped_bytes, text.size());
  EXPECT_TRUE(core_->status().caught_up);
}

TEST_F(CoreLanesTest, AFileThatWasMovedAwayIsRotatedOnceAnotherHasItsName) {
  for (const bool followed_there : {false, true}) {
    for (const auto& [path, inode] : std::map(files_.names())) files_.unlink(path);
    disk_.wipe();
    if (followed_there) config_.inputs[0].paths.emplace_back("/old/*.log");
    const auto moved = filled("/l/a.log", 20'000, 10);
    start();
    output_->partitions = 0;
    run(1000, false);
    files_.rename("/l/a.log", "/old/a.log");
    core_->path_changed("/l/a.log", true);
    run(1000, false);
    EXPECT_EQ(core_->status().backlog_bytes, 0U);
    filled("/l/a.log", 10'000, 10);
    core_->path_changed("/l/a.log", true);
    run(1000, false);
    EXPECT_EQ(core_->status().backlog_bytes, moved->bytes.size()) << followed_there;
    output_->partitions = 1;
    work();
    ASSERT_FALSE(output_->sent.empty());
    EXPECT_EQ(output_->sent.front().header.range.size(), 10 * line(10'000).size());
    EXPECT_EQ(output_->sent.front().header.path, "/l/a.log") << "the live one comes first";
  }
}

}  // namespace
}  // namespace weir
