#include "aggregator/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "tests/unit/settle/batches.h"

namespace weir {
namespace {

using testing::batch_of;
using ::testing::HasSubstr;
using testing::header_of;
using testing::Line;
using namespace std::chrono_literals;

const PartitionKey kPartition{"access", 0};

// The database's content, shared by its connections. Only what settling needs is real.
struct Database {
  std::map<PartitionKey, PartitionState> partitions;
  std::map<SourceId, SourceState> sources;
  WindowDelta windows;
  std::optional<Error> down;             // if set, every statement fails with it
  bool lose_next_commit_answer = false;  // the next commit lands, but its answer is lost
  int commits = 0;

  [[nodiscard]] std::uint64_t requests() const {
    std::uint64_t total = 0;
    for (const auto& [key, sum] : windows) total += sum.requests;
    return total;
  }
};

class FakeLedger : public Ledger {
 public:
  explicit FakeLedger(Database& database) : database_(database) {}

  Result<void> migrate() override { return check(); }
  Result<int> schema_version() override { return unused(); }
  Result<PartitionState> acquire(const PartitionKey& partition, std::string_view) override {
    if (auto up = check(); !up) return std::unexpected(up.error());
    ++database_.partitions[partition].epoch;
    return database_.partitions[partition];
  }
  Result<std::vector<SourceState>> load_sources(const std::vector<SourceId>& ids) override {
    if (auto up = check(); !up) return std::unexpected(up.error());
    std::vector<SourceState> found;
    for (const auto& id : ids) {
      if (database_.sources.contains(id)) found.push_back(database_.sources[id]);
    }
    return found;
  }
  Result<void> commit(const Commit& commit) override {
    if (auto up = check(); !up) return up;
    PartitionState& state = database_.partitions[commit.partition];
    if (state.epoch == commit.epoch && state.next_offset == commit.next_offset) return {};  // it had landed
    if (state.epoch != commit.epoch || state.next_offset != commit.expected_next_offset) {
      return fail(Code::kFenced, "another owner");
    }
    state.next_offset = commit.next_offset;
    state.cluster_id = commit.cluster_id;
    merge_into(database_.windows, commit.windows);
    for (const auto& source : commit.sources) database_.sources[source.id] = source;
    ++database_.commits;
    if (std::exchange(database_.lose_next_commit_answer, false)) {
      return fail(Code::kUnavailable, "connection lost");
    }
    return {};
  }
  Result<std::vector<std::string>> known_sites() override {
    if (auto up = check(); !up) return std::unexpected(up.error());
    return std::vector<std::string>{};
  }
  Result<std::uint64_t> forget_sources(std::int64_t, std::int64_t, std::size_t) override { return unused(); }

 private:
  [[nodiscard]] Result<void> check() const {
    if (database_.down) return std::unexpected(*database_.down);
    return {};
  }
  static std::unexpected<Error> unused() { return fail(Code::kNotFound, "settling does not ask this"); }
  Database& database_;
};

// A topic in memory.
class FakeSource : public Source {
 public:
  std::map<PartitionKey, std::vector<std::string>> topic;
  std::map<PartitionKey, std::int64_t> position;  // of assigned and started partitions
  std::vector<SourceEvent> events;                // delivered by the next poll, before messages
  std::map<PartitionKey, std::int64_t> acknowledged;
  std::vector<std::int64_t> started_at;
  int revocations_answered = 0;
  bool paused = false;
  std::string cluster = "cluster-1";

  Result<void> poll(std::chrono::milliseconds, std::size_t max_events,
                    std::vector<SourceEvent>& out) override {
    std::move(events.begin(), events.end(), std::back_inserter(out));
    events.clear();
    if (paused) return {};
    for (auto& [partition, next] : position) {
      const auto& messages = topic[partition];
      while (next < static_cast<std::int64_t>(messages.size()) && out.size() < max_events) {
        SourceMessage message;
        message.partition = partition;
        message.offset = next;
        message.payload = messages[static_cast<std::size_t>(next++)];
        out.emplace_back(std::move(message));
      }
    }
    return {};
  }
  Result<void> start_at(const PartitionKey& partition, std::int64_t offset) override {
    position[partition] = std::max<std::int64_t>(0, offset);
    started_at.push_back(offset);
    return {};
  }
  void revoked_done() override { ++revocations_answered; }
  void committed(const PartitionKey& partition, std::int64_t next_offset) override {
    acknowledged[partition] = next_offset;
  }
  void pause(bool pause) override { paused = pause; }
  std::string cluster_id() override { return cluster; }
  std::string status() const override { return ""; }
};

class EngineTest : public ::testing::Test {
 protected:
  EngineTest() { assign({kPartition}); }

  void assign(std::vector<PartitionKey> partitions) {
    source_.events.emplace_back(Assigned{std::move(partitions)});
  }

  void start() {
    EngineConfig config;
    config.commit_interval = commit_interval_;
    config.max_pending_bytes = max_pending_bytes_;
    config.reacquire_delay = 0ms;
    config.backoff_min = 1ms;
    config.backoff_max = 4ms;
    config.log = [this](const Error& error) { logged_.push_back(error.what); };
    engine_ = std::make_unique<Engine>(config, source_, [this] {
      return Result<std::unique_ptr<Ledger>>(std::make_unique<FakeLedger>(database_));
    });
  }

  // A batch with the next `lines` lines of the one file.
  void produce(std::size_t lines, const PartitionKey& partition = kPartition) {
    file_.resize(file_.size() + lines);
    source_.topic[partition].push_back(
        batch_of(file_, file_.size() - lines, file_.size(), header_of({1, 1})));
  }

  // Steps until the condition holds; the deadline is only for failing tests.
  template <class Condition>
  void until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + 10s;
    while (!condition()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << "status: " << engine_->status().problem;
      ASSERT_TRUE(engine_->step().has_value());
    }
  }
  void step() { ASSERT_TRUE(engine_->step().has_value()); }

  std::chrono::milliseconds commit_interval_{0};
  std::uint64_t max_pending_bytes_ = 64 << 20;
  Database database_;
  FakeSource source_;
  std::vector<Line> file_;
  std::vector<std::string> logged_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(EngineTest, CommitsWhatArrivesAndAcknowledgesIt) {
  produce(3);
  produce(4);
  start();
  until([&] { return database_.requests() == 7; });
  EXPECT_EQ(source_.started_at, std::vector<std::int64_t>{-1});
  EXPECT_EQ(source_.acknowledged[kPartition], 2);
  EXPECT_EQ(database_.partitions[kPartition].next_offset, 2);
  EXPECT_EQ(engine_->status().records, 7U);
  EXPECT_EQ(engine_->status().partitions, 1U);
  EXPECT_EQ(engine_->status().problem, "");
}

TEST_F(EngineTest, ARestartGoesOnAtTheStoresOffset) {
  produce(3);
  start();
  until([&] { return database_.requests() == 3; });
  produce(2);
  engine_.reset();  // kill -9: nothing more is committed
  assign({kPartition});
  start();
  until([&] { return database_.requests() == 5; });
  EXPECT_EQ(source_.started_at.back(), 1);
}

TEST_F(EngineTest, WhatWasNotCommittedIsReadAgainOnce) {
  commit_interval_ = 1h;
  produce(3);
  start();
  until([&] { return engine_->status().records == 3; });
  EXPECT_EQ(database_.requests(), 0U);
  engine_.reset();
  assign({kPartition});
  start();
  until([&] { return engine_->status().records == 3; });
  engine_->finish();
  EXPECT_EQ(database_.requests(), 3U);
}

TEST_F(EngineTest, AFencedEngineDropsAndTakesThePartitionAgain) {
  commit_interval_ = 1h;
  produce(3);
  start();
  until([&] { return engine_->status().records == 3; });
  // Another aggregator takes the partition, commits the first message, and leaves.
  FakeLedger other(database_);
  const auto taken = other.acquire(kPartition, "other");
  ASSERT_TRUE(taken.has_value());
  Commit theirs;
  theirs.partition = kPartition;
  theirs.epoch = taken->epoch;
  theirs.expected_next_offset = -1;
  theirs.next_offset = 0;
  ASSERT_TRUE(other.commit(theirs).has_value());

  engine_->finish();
  EXPECT_EQ(engine_->status().fenced, 1U);
  EXPECT_EQ(database_.requests(), 0U);
  produce(2);
  until([&] { return engine_->status().records == 8; });  // three, then all five again
  engine_->finish();
  EXPECT_EQ(database_.requests(), 5U);
  EXPECT_EQ(source_.started_at, (std::vector<std::int64_t>{-1, 0}));
}

TEST_F(EngineTest, AStoreThatIsAwayStopsFetchingAndLosesNothing) {
  produce(3);
  start();
  until([&] { return database_.requests() == 3; });
  database_.down = Error{Code::kUnavailable, "mysql 127.0.0.1:3306: connection refused", "start it"};
  produce(2);
  until([&] { return source_.paused; });
  EXPECT_THAT(engine_->status().problem, HasSubstr("connection refused; start it"));
  ASSERT_EQ(logged_.size(), 1U);
  produce(4);
  for (int i = 0; i < 20; ++i) step();
  EXPECT_EQ(logged_.size(), 1U);  // once a minute, not once per attempt
  database_.down.reset();
  until([&] { return database_.requests() == 9; });
  EXPECT_EQ(engine_->status().problem, "");
  EXPECT_FALSE(source_.paused);
  EXPECT_EQ(engine_->status().records, 9U);  // kept, not read again
}

TEST_F(EngineTest, AStoreThatIsAwayAtTheStartIsWaitedFor) {
  database_.down = Error{Code::kUnavailable, "away", ""};
  produce(3);
  start();
  until([&] { return !engine_->status().problem.empty(); });
  for (int i = 0; i < 5; ++i) step();
  EXPECT_TRUE(source_.started_at.empty());
  database_.down.reset();
  until([&] { return database_.requests() == 3; });
}

TEST_F(EngineTest, ACommitWhoseAnswerIsLostCountsOnce) {
  produce(3);
  database_.lose_next_commit_answer = true;
  start();
  until([&] { return database_.commits == 1 && engine_->status().commits == 1; });
  produce(2);
  until([&] { return database_.requests() >= 5; });
  EXPECT_EQ(database_.requests(), 5U);
  EXPECT_EQ(engine_->status().fenced, 0U);
}

TEST_F(EngineTest, ARevocationCommitsFirst) {
  commit_interval_ = 1h;
  produce(3);
  start();
  until([&] { return engine_->status().records == 3; });
  source_.position.clear();
  source_.events.emplace_back(Revoked{{kPartition}, false});
  until([&] { return source_.revocations_answered == 1; });
  EXPECT_EQ(database_.requests(), 3U);
  EXPECT_EQ(engine_->status().partitions, 0U);
}

TEST_F(EngineTest, ALostPartitionIsDroppedWithoutACommit) {
  commit_interval_ = 1h;
  produce(3);
  start();
  until([&] { return engine_->status().records == 3; });
  source_.position.clear();
  source_.events.emplace_back(Revoked{{kPartition}, true});
  until([&] { return source_.revocations_answered == 1; });
  engine_->finish();
  EXPECT_EQ(database_.requests(), 0U);
}

TEST_F(EngineTest, ARevocationDoesNotWaitForAStoreThatIsAway) {
  start();
  until([&] { return source_.started_at.size() == 1; });
  database_.down = Error{Code::kUnavailable, "away", ""};
  produce(3);
  until([&] { return source_.paused; });
  source_.position.clear();
  source_.events.emplace_back(Revoked{{kPartition}, false});
  until([&] { return source_.revocations_answered == 1; });
  database_.down.reset();
  assign({kPartition});
  until([&] { return database_.requests() == 3; });
}

TEST_F(EngineTest, PendingIsBounded) {
  commit_interval_ = 1h;
  max_pending_bytes_ = 1;
  produce(3);
  start();
  until([&] { return database_.requests() == 3; });
  EXPECT_EQ(engine_->status().pending_bytes, 0U);
}

TEST_F(EngineTest, ANewFormatReadsTheNextRawLines) {
  const std::string line = R"(192.0.2.1 [2026-11-24T10:00:00+00:00] "GET / HTTP/1.1" 200 10 a.example)";
  start();
  source_.topic[kPartition].push_back(line);
  until([&] { return engine_->status().dead_letters == 1; });
  engine_->set_foreign_format(
      {.kind = FormatSpec::Kind::kNginx,
       .text = "$remote_addr [$time_iso8601] \"$request\" $status $bytes_sent $host"});
  source_.topic[kPartition].push_back(line);
  until([&] { return database_.requests() == 1; });
  database_.down = Error{Code::kUnavailable, "store: away", ""};
  source_.topic[kPartition].push_back(line);
  until([&] { return !engine_->status().problem.empty(); });
  database_.down.reset();
  until([&] { return database_.requests() == 2; });
  EXPECT_EQ(engine_->status().dead_letters, 1U) << "a new connection keeps the format";
}

TEST_F(EngineTest, OffsetsOfAnotherClusterAreNotUsed) {
  database_.partitions[kPartition].next_offset = 500;
  database_.partitions[kPartition].cluster_id = "cluster-0";
  produce(3);
  start();
  until([&] { return database_.requests() == 3; });
  EXPECT_EQ(source_.started_at, std::vector<std::int64_t>{-1});
  EXPECT_EQ(database_.partitions[kPartition].cluster_id, "cluster-1");
  EXPECT_EQ(engine_->status().dead_letters, 1U);
}

TEST_F(EngineTest, ASourceThatMovesBetweenPartitionsIsCountedOnce) {
  const PartitionKey second{"access", 1};
  commit_interval_ = 1h;
  assign({second});
  produce(3);
  // The agent lost its registry and sends everything again, to another partition.
  source_.topic[second].push_back(batch_of(file_, 0, 3, header_of({1, 1})));
  start();
  until([&] { return engine_->status().messages == 2; });
  engine_->finish();
  EXPECT_EQ(database_.requests(), 3U);
}

}  // namespace
}  // namespace weir
