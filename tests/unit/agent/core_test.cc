// The core on simulated files, time and brokers: decisions that show only after a crash, with a full disk, or
// after an hour.
#include "agent/core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <tuple>

#include "proto/batch.h"
#include "tests/unit/agent/core_test_parts.h"
#include "tests/unit/gzip.h"

namespace weir {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

TEST_F(AgentCoreTest, AtRestItAsksForTheNextTickWhenSomethingIsDue) {
  const auto log = files_.create("/l/a.log");
  files_.append(log, line(1));
  start();
  run(1000, false);
  EXPECT_FALSE(core_->quiet()) << "a batch is on its way";
  output_->answer();
  EXPECT_FALSE(core_->quiet()) << "the registry does not know the acknowledgement";
  run(1000);
  EXPECT_TRUE(core_->quiet());
  EXPECT_LE(core_->due_in_ms(), config_.tail.poll_interval.count()) << "no watch tells of its growth";
  core_->set_watched(core_->folders_to_watch());
  EXPECT_GT(core_->due_in_ms(), config_.tail.poll_interval.count());
  EXPECT_LE(core_->due_in_ms(), config_.tail.scan_interval.count());
  output_->state.blocked_because = "all brokers are away";
  EXPECT_LE(core_->due_in_ms(), 1000) << "to be said";
  output_->state.blocked_because.clear();
  files_.unlink("/l/a.log");
  core_->path_changed("/l/a.log", true);
  EXPECT_FALSE(core_->quiet()) << "to be looked for";
  run(1000);
  EXPECT_TRUE(core_->quiet());
  EXPECT_EQ(core_->status().sources.at(0).state.text(), "gone");
  EXPECT_LE(core_->due_in_ms(), config_.tail.poll_interval.count()) << "to be closed once it rests";
}

TEST_F(AgentCoreTest, AHeartbeatOnItsWayIsNoActivity) {
  config_.ship.heartbeat_interval = std::chrono::seconds(5);
  files_.append(files_.create("/l/a.log"), line(1));
  start();
  run(1000);
  core_->set_watched(core_->folders_to_watch());
  EXPECT_GT(core_->due_in_ms(), 1000);
  const auto changes = core_->changes();
  run(4500, false);
  ASSERT_GT(output_->sent.size(), output_->answered) << "a heartbeat, and the claim of what was read";
  for (; output_->sent[output_->answered].header.kind != BatchKind::kHeartbeat;) output_->answer_one();
  run(500, false);
  EXPECT_TRUE(core_->quiet());
  EXPECT_GT(core_->due_in_ms(), 1000);
  const auto before = core_->changes();
  EXPECT_GT(before, changes) << "the claim";
  output_->answer();
  EXPECT_EQ(core_->changes(), before);
  EXPECT_TRUE(core_->quiet());
}

TEST_F(AgentCoreTest, AStatusHasTheFirstThousandSourcesAndSaysHowManyThereAre) {
  config_.inputs[0].paths = {"/l/*.log"};
  for (std::size_t i = 0; i <= kMaxSourcesShown; ++i)
    files_.append(files_.create("/l/" + std::to_string(i) + ".log"), line(static_cast<int>(i)));
  start();
  run();
  EXPECT_EQ(core_->status().source_count, kMaxSourcesShown + 1);
  EXPECT_EQ(core_->status().sources.size(), kMaxSourcesShown);
}

TEST_F(AgentCoreTest, WhatWasTruncatedUnreadIsALossThatIsSentUntilItIsAcknowledged) {
  const auto log = files_.create("/l/a.log");
  files_.append(log, line(1));
  start();
  run();
  // One batch is unanswered. Further lines are noticed and accumulate, but are not read yet.
  files_.append(log, line(2));
  run(300, false);
  files_.append(log, line(3) + line(4));
  core_->tick();
  clock_.advance(1000);
  core_->tick();  // checks its size
  const auto read = output_->ranges(BatchKind::kRecords).back().end;
  files_.truncate(log);
  run(1000, false);
  ASSERT_THAT(output_->ranges(BatchKind::kLoss), Contains(ByteRange{read, line(1).size() * 4}));
  EXPECT_THAT(said_, Contains(HasSubstr("truncated unread")));
  EXPECT_EQ(core_->status().losses_waiting, 1U);
  start();  // killed before the answer
  run();
  EXPECT_THAT(output_->ranges(BatchKind::kLoss), Contains(ByteRange{read, line(1).size() * 4}));
  EXPECT_EQ(core_->status().losses_waiting, 0U);
}

TEST_F(AgentCoreTest, ACopyThatTakesOverIsNoLoss) {
  config_.inputs[0].paths.emplace_back("/l/a.log.*");
  const auto log = files_.create("/l/a.log");
  files_.append(log, line(1));
  start();
  run();
  files_.append(log, line(2) + line(3));
  files_.append(files_.create("/l/a.log.1"), log->bytes);
  files_.truncate(log);
  files_.append(log, line(4));
  run();
  run(20'000);
  EXPECT_THAT(output_->ranges(BatchKind::kLoss), IsEmpty());
  std::uint64_t bytes = 0;
  for (const auto& range : output_->ranges(BatchKind::kRecords)) bytes += range.size();
  EXPECT_EQ(bytes, line(1).size() * 4);
}

TEST_F(AgentCoreTest, ACopyDoesNotTakeTheNameOfALookAlikeOfWhichNothingWasSent) {
  config_.inputs[0].paths.emplace_back("/l/a.log.*");
  const auto log = files_.create("/l/a.log");
  files_.append(log, line(1) + line(2));
  files_.append(files_.create("/l/a.log.1"), line(1) + line(3));
  start();
  output_->partitions = 0;
  run(1000, false);
  core_->finish();
  EXPECT_THAT(output_->sent, IsEmpty());
  files_.unlink("/l/a.log.1");
  start();
  core_->tick();
  std::ignore = core_->work();
  files_.append(files_.create("/l/a.log.2"), log->bytes);
  run(11'000);
  const auto all = log->bytes.size();
  EXPECT_THAT(output_->ranges(BatchKind::kRecords), ElementsAre(ByteRange{0, all}));
}

TEST_F(AgentCoreTest, AFileThatVanishedUnreadIsGivenUpAfterMissingAfter) {
  config_.tail.missing_after = std::chrono::seconds(30);
  const auto log = files_.create("/l/a.log");
  files_.append(log, line(1) + line(2));
  start();
  run(300, false);  // sent but not acknowledged
  start();          // killed
  files_.unlink("/l/a.log");
  run(20'000);
  EXPECT_THAT(output_->ranges(BatchKind::kLoss), IsEmpty()) << "it may come back";
  run(30'000);
  EXPECT_THAT(output_->ranges(BatchKind::kLoss), Contains(ByteRange{0, line(1).size() * 2}));
}

TEST_F(AgentCoreTest, AnErrorMeansUnknownNeitherEmptyNorDeleted) {
  const auto log = files_.create("/l/a.log");
  files_.append(log, line(1));
  start();
  run();
  files_.faults = {&random_, 1000, 0, 0};  // every call fails
  files_.append(log, line(2));
  run(60'000);
  ASSERT_EQ(core_->status().sources.size(), 1U);
  EXPECT_THAT(core_->status().sources[0].state.text(), HasSubstr("unreadable"));
  files_.faults = {};
  run(20'000);
  EXPECT_EQ(core_->status().sources[0].state.text(), "active");
  EXPECT_EQ(core_->status().sources[0].acknowledged_offset, line(1).size() * 2);
  EXPECT_THAT(output_->ranges(BatchKind::kLoss), IsEmpty());
}

TEST_F(AgentCoreTest, AHoleOfNulsBeforeTheOffsetProvesNothing) {
  const std::string hole(9000, '\0');
  const auto log = files_.create("/l/a.log");
  files_.append(log, hole + line(1));
  config_.ship.batch_max_bytes = 1024;  // the hole is a batch of its own
  start();
  core_->tick();
  while (output_->sent.empty()) std::ignore = core_->work();
  output_->answer();  // the hole is acknowledged, the line is in flight
  run(1000, false);
  core_->finish();
  EXPECT_THAT(output_->ranges(BatchKind::kRecords),
              ElementsAre(ByteRange{0, hole.size()}, ByteRange{hole.size(), log->bytes.size()}));
  const auto id = output_->sent.back().header.source;
  start();
  output_->partitions = 0;
  run();  // continues at the end of the hole, and cannot send
  // Truncated, and the writer continues at its old position.
  const auto place = log->bytes.size();
  files_.truncate(log);
  files_.write_at(log, place, line(2));
  output_->partitions = 1;
  run();
  ASSERT_THAT(output_->sent, Not(IsEmpty()));
  EXPECT_EQ(output_->ranges(BatchKind::kRecords).front().begin, 0U);
  EXPECT_NE(output_->sent.back().header.source, id);
}

TEST_F(AgentCoreTest, AnInodeThatIsUsedAgainByAnotherLogGivesItNoName) {
  config_.inputs[0].paths.emplace_back("/l/b.log");
  files_.append(files_.create("/l/a.log"), line(1));
  start();
  output_->partitions = 0;
  run();
  core_->finish();
  files_.unlink("/l/a.log");
  files_.append(files_.create("/l/b.log"), line(1) + line(2));  // same inode, different birth time, same line
  start();
  run();
  ASSERT_THAT(output_->ranges(BatchKind::kRecords), ElementsAre(ByteRange{0, line(1).size() * 2}));
  auto first = line(1);
  first.pop_back();
  EXPECT_EQ(output_->sent.front().header.source, make_source_id("web1", "/l/b.log", first));
}

TEST_F(AgentCoreTest, AFileThatMovedToAnotherFolderIsKnownThereByItsCopies) {
  config_.inputs[0].paths.emplace_back("/old/a.log-*");
  const auto log = files_.create("/l/a.log");
  files_.append(log, line(1) + line(2));
  start();
  run();
  files_.rename("/l/a.log", "/old/a.log-20261124");
  run(11'000);
  files_.append(files_.create("/old/a.log-20261124.gz"), testing::gzip(log->bytes));
  run(11'000);
  files_.unlink("/old/a.log-20261124");
  run(11'000);
  EXPECT_THAT(output_->ranges(BatchKind::kRecords), ElementsAre(ByteRange{0, log->bytes.size()}));
  start();
  run(11'000);
  EXPECT_THAT(output_->ranges(BatchKind::kRecords), IsEmpty());
  EXPECT_EQ(core_->status().lost_bytes, 0U);
}

TEST_F(AgentCoreTest, WhatLeftWithNothingReadDoesNotGoOnInACopyOfAnother) {
  config_.inputs[0].paths.emplace_back("/l/a.log.*");
  const auto log = files_.create("/l/a.log");
  files_.append(log, line(1) + line(3));
  const auto rotated = files_.create("/l/a.log.1");
  files_.append(rotated, line(1) + line(2));
  start();
  output_->partitions = 0;
  run();
  files_.truncate(log);
  files_.append(log, line(4));
  files_.append(files_.create("/l/a.log.2.gz"), testing::gzip(rotated->bytes));
  run(20'000);
  output_->partitions = 1;
  run();
  EXPECT_THAT(output_->ranges(BatchKind::kRecords),
              UnorderedElementsAre(ByteRange{0, rotated->bytes.size()}, ByteRange{0, line(4).size()}));
}

TEST_F(AgentCoreTest, AnErrorThatHasPassedGivesNothingUp) {
  config_.tail.missing_after = std::chrono::seconds(30);
  const auto log = files_.create("/l/a.log");
  files_.append(log, line(1));
  start();
  run();
  files_.bad_disk = {"/l/a.log"};
  files_.append(log, line(2));
  run();
  EXPECT_THAT(core_->status().problems, Contains(HasSubstr("bad sector")));
  files_.unlink("/l/a.log");
  files_.bad_disk = {};
  clock_.advance(60'000);
  run();
  EXPECT_THAT(output_->ranges(BatchKind::kRecords), Contains(ByteRange{line(1).size(), line(1).size() * 2}));
  EXPECT_EQ(core_->status().lost_bytes, 0U);
}

TEST_F(AgentCoreTest, AFileThatIsDeletedAndCannotBeReadIsALossAfterMissingAfter) {
  config_.tail.missing_after = std::chrono::seconds(30);
  const auto log = files_.create("/l/a.log");
  files_.append(log, line(1));
  start();
  run();
  const auto read = output_->ranges(BatchKind::kRecords).back().end;
  files_.bad_disk = {"/l/a.log"};
  files_.append(log, line(2));
  const ByteRange unread{read, log->bytes.size()};
  run(60'000);
  EXPECT_THAT(core_->status().problems, Contains(HasSubstr("bad sector")));
  EXPECT_THAT(output_->ranges(BatchKind::kLoss), Not(Contains(unread))) << "it may be read later";
  files_.unlink("/l/a.log");
  run(60'000);
  EXPECT_THAT(output_->ranges(BatchKind::kLoss), Contains(unread));
  EXPECT_EQ(output_->sent.back().header.loss_cause, LossCause::kUnreadable);
  EXPECT_TRUE(core_->status().sources.empty());
}

TEST_F(AgentCoreTest, ARegistryThatCannotBeWrittenStopsNothingAndIsSaid) {
  const auto log = files_.create("/l/a.log");
  files_.append(log, line(1));
  write_fails_ = 1000;
  start();
  run();
  EXPECT_EQ(core_->status().shipped_lines, 1U);
  EXPECT_THAT(core_->status().problems, Contains(HasSubstr("simulated full disk")));
  EXPECT_THAT(said_, Contains(HasSubstr("simulated full disk")));
  write_fails_ = 0;
  run();
  EXPECT_THAT(core_->status().problems, IsEmpty());
  EXPECT_EQ(disk_.image.entries.size(), 1U);
}

TEST_F(AgentCoreTest, ManyNewFilesAreFewWritesOfTheRegistry) {
  constexpr int kFiles = 200;
  config_.inputs[0].paths = {"/l/*.log"};
  for (int n = 0; n < kFiles; ++n) files_.append(files_.create("/l/" + std::to_string(n) + ".log"), line(n));
  start();
  run(100, false);
  EXPECT_EQ(output_->ranges(BatchKind::kRecords).size(), std::size_t{kFiles});
  EXPECT_EQ(disk_.image.entries.size(), std::size_t{kFiles}) << "known before anything of them is counted";
  EXPECT_LE(disk_.writes, 3U);
}

TEST_F(AgentCoreTest, WhatAFullOutputDoesNotTakeGoesOnWithoutATick) {
  constexpr int kFiles = 600;
  config_.inputs[0].paths = {"/l/*.log"};
  for (int n = 0; n < kFiles; ++n) files_.append(files_.create("/l/" + std::to_string(n) + ".log"), line(n));
  start();
  output_->takes = 64;  // a full batch of first lines fills it exactly
  core_->tick();
  while (core_->work()) {
  }
  EXPECT_EQ(output_->ranges(BatchKind::kRecords).size(), std::size_t{kFiles});
}

TEST_F(AgentCoreTest, AFileThatBeginsLikeOneThatMayBeInAnUnreadableFolderWaits) {
  config_.inputs[0].paths.emplace_back("/old/*.log.*");
  const auto first = files_.create("/l/a.log");
  files_.append(first, line(1));
  start();
  run(1000);
  const auto id = output_->sent.front().header.source;
  files_.append(first, line(2));
  files_.rename("/l/a.log", "/old/a.log.1");
  files_.append(files_.create("/l/a.log"), line(1) + line(3));
  files_.bad_folders = {"/old/*.log.*"};
  start();
  run(15'000);
  EXPECT_THAT(output_->sent, IsEmpty());
  EXPECT_THAT(core_->status().problems, Contains(HasSubstr("may be where nothing can be read, and waits")));
  files_.bad_folders.clear();
  run(15'000);
  ASSERT_THAT(output_->sent, SizeIs(2));
  for (const auto& sent : output_->sent)
    EXPECT_EQ(sent.header.source == id, sent.header.path == "/old/a.log.1");
  EXPECT_EQ(core_->status().read_lines, 3U);
  EXPECT_THAT(core_->status().problems, IsEmpty());
}

// On a busy machine, for example, only a few would be shipped between two scans of all files.
TEST_F(AgentCoreTest, LooksThatTakeLongerThanTheirIntervalLeaveTimeForShipping) {
  constexpr int kFiles = 600;
  config_.inputs[0].paths = {"/l/*.log"};
  config_.tail.scan_interval = std::chrono::seconds(1);
  for (int n = 0; n < kFiles; ++n) files_.append(files_.create("/l/" + std::to_string(n) + ".log"), line(n));
  start();
  output_->takes = 64;
  files_.between = [&] { clock_.advance(1); };
  for (int turns = 0; turns < 100 && !core_->status().caught_up; ++turns) {
    core_->tick();
    core_->work();
  }
  EXPECT_TRUE(core_->status().caught_up);
  EXPECT_EQ(output_->ranges(BatchKind::kRecords).size(), std::size_t{kFiles});
  EXPECT_LE(core_->scans(), 4U);
  EXPECT_GT(core_->due_in_ms(), 1);
}

TEST_F(AgentCoreTest, AmongNewFilesOnlyALookAlikeWaitsForTheRegistry) {
  config_.inputs[0].paths = {"/l/*.log", "/l/a.log.1"};
  files_.append(files_.create("/l/a.log"), line(1) + line(2));
  files_.append(files_.create("/l/a.log.1"), line(1) + line(3) + line(4));
  files_.append(files_.create("/l/b.log"), line(5));
  write_fails_ = 1000;
  start();
  run(5000);
  EXPECT_THAT(output_->ranges(BatchKind::kRecords), SizeIs(2));
  EXPECT_THAT(core_->status().problems, Contains(HasSubstr("begins like another file, and waits")));
  EXPECT_EQ(core_->status().in_flight_bytes, 0U);
  write_fails_ = 0;
  run(12'000);
  EXPECT_THAT(output_->ranges(BatchKind::kRecords), SizeIs(3));
  EXPECT_THAT(core_->status().problems, IsEmpty());
  EXPECT_TRUE(core_->status().caught_up);
}

TEST_F(AgentCoreTest, ABatchThatTheTopicDoesNotTakeIsMadeSmallerAfterAPause) {
  const auto log = files_.create("/l/a.log");
  std::string text;
  for (int n = 0; n < 100; ++n) text += line(n);
  files_.append(log, text);
  start();
  run(100, false);
  const Error too_large{Code::kInvalid, "too large", ""};
  ASSERT_EQ(output_->sent.size(), 1U);
  output_->answer(&too_large);
  core_->work();
  EXPECT_EQ(output_->sent.size(), 1U) << "not at once";
  clock_.advance(1000);
  core_->tick();
  core_->work();
  ASSERT_GE(output_->sent.size(), 2U);
  EXPECT_LE(output_->sent[1].header.range.size(), text.size() / 2 + line(99).size());
  run(2000);
  EXPECT_EQ(core_->status().shipped_lines, 100U);
}

TEST_F(AgentCoreTest, AClaimIsSentOnceASourceRests) {
  config_.ship.heartbeat_interval = std::chrono::seconds(1);
  files_.append(files_.create("/l/a.log"), line(1));
  start();
  run(5000);
  EXPECT_EQ(output_->ranges(BatchKind::kLoss), (std::vector<ByteRange>{{0, line(1).size()}}));
  clock_.advance(86'400'000);
  run(5000);
  EXPECT_EQ(output_->ranges(BatchKind::kLoss).size(), 2U) << "once a day, so that it is not forgotten";
}

TEST_F(AgentCoreTest, AClaimThatIsNotAcknowledgedIsNotSentAgain) {
  config_.ship.heartbeat_interval = std::chrono::seconds(1);
  files_.append(files_.create("/l/a.log"), line(1));
  start();
  run(300, false);
  output_->answer();
  run(60'000, false);
  EXPECT_EQ(output_->ranges(BatchKind::kLoss).size(), 1U);
}

TEST_F(AgentCoreTest, AfterAFailureItIsClaimedOnceMoreWhenTheTopicMustHaveBeenLookedAt) {
  config_.ship.heartbeat_interval = std::chrono::seconds(1);
  files_.append(files_.create("/l/a.log"), line(1));
  start();
  run(300, false);
  const Error unavailable{Code::kUnavailable, "topic access: Local: Unknown partition", ""};
  output_->answer(&unavailable);
  run(5000);
  EXPECT_EQ(output_->ranges(BatchKind::kRecords).size(), 2U);
  EXPECT_EQ(output_->ranges(BatchKind::kLoss).size(), 1U);
  run(15'000);
  EXPECT_EQ(output_->ranges(BatchKind::kLoss).size(), 2U);
  run(60'000);
  EXPECT_EQ(output_->ranges(BatchKind::kLoss).size(), 2U);
}

TEST_F(AgentCoreTest, BelowAcksAllItIsClaimedForLongerThanALeaderCanTakeAway) {
  config_.output.kafka.acks = "1";
  config_.ship.heartbeat_interval = std::chrono::seconds(1);
  files_.append(files_.create("/l/a.log"), line(1));
  start();
  run(35'000);
  EXPECT_EQ(output_->ranges(BatchKind::kLoss).size(), 4U);
  run(60'000);
  EXPECT_EQ(output_->ranges(BatchKind::kLoss).size(), 5U);
}

TEST_F(AgentCoreTest, ThePlanSaysWhatAStartWouldRead) {
  config_.inputs[0].paths.emplace_back("/l/a.log.*");
  files_.append(files_.create("/l/a.log"), line(1));
  start();
  run();
  core_->finish();
  files_.append(files_.create("/l/a.log.1"), line(1));
  files_.append(files_.find("/l/a.log"), line(2));
  start();
  const auto plan = core_->plan();
  ASSERT_EQ(plan.size(), 2U);
  EXPECT_EQ(plan[0].path, "/l/a.log");
  EXPECT_EQ(plan[0].offset, line(1).size());
  EXPECT_THAT(plan[1].why, HasSubstr("a copy of"));
  EXPECT_TRUE(output_->sent.empty());
}

TEST_F(AgentCoreTest, AReleasedFileIsALoss) {
  config_.tail.release_under_pressure = true;
  config_.tail.min_free_bytes = std::numeric_limits<std::uint64_t>::max();
  files_.free_bytes = 1;
  const auto log = files_.create("/l/a.log");
  files_.append(log, line(1));
  start();
  run(300, false);
  files_.append(log, line(2));
  clock_.advance(20'000);
  files_.unlink("/l/a.log");
  run(300, false);
  EXPECT_THAT(output_->ranges(BatchKind::kLoss), Contains(ByteRange{line(1).size(), line(1).size() * 2}));
}

}  // namespace
}  // namespace weir
