#include "aggregator/settle/settler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "tests/unit/settle/batches.h"

namespace weir {
namespace {

using testing::batch_of;
using ::testing::HasSubstr;
using testing::header_of;
using testing::Line;
using testing::message_at;
using testing::random_file;

constexpr std::int64_t kNow = 1'764'000'100'000;
const PartitionKey kPartition{"access", 0};
const SourceId kSource{1, 2};

// The part of a store that settling needs: the effect of commits.
struct FakeStore {
  std::map<PartitionKey, PartitionState> partitions;
  std::map<SourceId, SourceState> sources;
  WindowDelta windows;
  std::uint64_t dead_letters = 0;
  std::set<std::string> sites;

  void commit(const Commit& commit) {
    PartitionState& state = partitions[commit.partition];
    ASSERT_EQ(state.next_offset, commit.expected_next_offset);
    ASSERT_EQ(state.epoch, commit.epoch);
    state.next_offset = commit.next_offset;
    merge_into(windows, commit.windows);
    for (const auto& source : commit.sources) sources[source.id] = source;
    dead_letters += commit.dead_letter_count;
    sites.insert(commit.new_sites.begin(), commit.new_sites.end());
  }
};

std::unique_ptr<Settler> make_settler(SettlerConfig config = {}, const std::vector<std::string>& sites = {}) {
  if (config.foreign_format.text.empty() && config.foreign_format.kind == FormatSpec::Kind::kNginx) {
    config.foreign_format.text = "$remote_addr [$time_iso8601] \"$request\" $status $bytes_sent $host";
  }
  auto settler = Settler::create(config, sites);
  EXPECT_TRUE(settler.has_value()) << (settler ? "" : settler.error().what);
  return std::move(*settler);
}

void deliver(Settler& settler, FakeStore& store, const SourceMessage& message) {
  const auto need = settler.need(message);
  if (const auto* load = std::get_if<Load>(&need)) {
    const auto known = store.sources.find(load->source);
    SourceState state;
    state.id = load->source;
    settler.know_source(known == store.sources.end() ? state : known->second);
  }
  ASSERT_TRUE(std::holds_alternative<Ready>(settler.need(message)));
  settler.apply(message, kNow);
}

void commit_all(Settler& settler, FakeStore& store) {
  for (const auto& partition : settler.pending_partitions()) {
    const Commit commit = settler.take(partition, "cluster");
    store.commit(commit);
    settler.committed(commit);
  }
}

std::uint64_t requests(const WindowDelta& windows, std::string_view site = {}) {
  std::uint64_t total = 0;
  for (const auto& [key, sum] : windows) {
    if (site.empty() || key.site == site) total += sum.requests;
  }
  return total;
}

WindowDelta fold_once(const std::vector<Line>& file, SourceId source) {
  const auto batch = decode_batch(batch_of(file, 0, file.size(), header_of(source)));
  EXPECT_TRUE(batch.has_value());
  WindowDelta windows;
  fold(*batch, 0, static_cast<std::uint32_t>(file.size()), FoldConfig{}, windows);
  return windows;
}

// The promise: however the file was cut, overlapped, sent twice or reordered, and however often the
// aggregator lost what it had not committed, each line is counted once.
TEST(SettlerProperty, AnyCutOverlapRepetitionAndOrderCountsEachLineOnce) {
  for (unsigned seed = 1; seed <= 500; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const std::size_t lines = 1 + random() % 60;
    const auto file = random_file(random, lines);

    std::vector<std::pair<std::size_t, std::size_t>> cuts;
    for (std::size_t at = 0; at < lines;) {
      const std::size_t end = std::min(lines, at + 1 + random() % 12);
      cuts.emplace_back(at, end);
      at = end;
    }
    for (std::size_t extra = random() % 10; extra > 0; --extra) {
      const std::size_t first = random() % lines;
      cuts.emplace_back(first, std::min(lines, first + 1 + random() % 30));
    }
    std::shuffle(cuts.begin(), cuts.end(), random);
    std::vector<SourceMessage> log;
    for (const auto& [first, end] : cuts) {
      log.push_back(
          message_at(static_cast<std::int64_t>(log.size()), batch_of(file, first, end, header_of(kSource))));
    }

    FakeStore store;
    auto settler = make_settler();
    store.partitions[kPartition].epoch = 1;
    settler->assign(kPartition, store.partitions[kPartition]);
    for (std::size_t at = 0; at < log.size(); ++at) {
      deliver(*settler, store, log[at]);
      switch (random() % 6) {
        case 0:
          commit_all(*settler, store);
          break;
        case 1: {  // lost before the commit: uncommitted messages arrive again
          store.partitions[kPartition].epoch += 1;
          settler->assign(kPartition, store.partitions[kPartition]);
          const auto next = std::max<std::int64_t>(0, store.partitions[kPartition].next_offset);
          at = static_cast<std::size_t>(next) - 1;
          break;
        }
        case 2: {  // the store is away: the commit is taken, and more messages arrive before it lands
          static_cast<void>(settler->take(kPartition, ""));
          break;
        }
        default:
          break;
      }
    }
    commit_all(*settler, store);
    commit_all(*settler, store);  // messages applied while a commit was sealed

    EXPECT_EQ(store.windows, fold_once(file, kSource));
    const SourceState& source = store.sources[kSource];
    EXPECT_EQ(source.lines, lines);
    EXPECT_EQ(source.unparsed, std::count_if(file.begin(), file.end(), [](const Line& line) {
                return line.kind == Line::Kind::kUnparsed;
              }));
    EXPECT_EQ(source.too_long, std::count_if(file.begin(), file.end(), [](const Line& line) {
                return line.kind == Line::Kind::kUnparsed && reason_of(line) == Unparsed::kTooLong;
              }));
    EXPECT_EQ(source.filtered, std::count_if(file.begin(), file.end(), [](const Line& line) {
                return line.kind == Line::Kind::kFiltered;
              }));
    EXPECT_EQ(store.dead_letters, source.unparsed);
    EXPECT_TRUE(source.coverage.gaps().empty());
    EXPECT_EQ(store.partitions[kPartition].next_offset, static_cast<std::int64_t>(log.size()));
    EXPECT_EQ(settler->pending_bytes(), 0U);
  }
}

class SettlerTest : public ::testing::Test {
 protected:
  void start(SettlerConfig config = {}, const std::vector<std::string>& sites = {}) {
    settler_ = make_settler(std::move(config), sites);
    store_.partitions[kPartition].epoch = 7;
    settler_->assign(kPartition, store_.partitions[kPartition]);
  }
  void send(std::string payload) { deliver(*settler_, store_, message_at(next_++, std::move(payload))); }
  Commit take() { return settler_->take(kPartition, "cluster-1"); }

  std::unique_ptr<Settler> settler_;
  FakeStore store_;
  std::int64_t next_ = 0;
};

TEST_F(SettlerTest, ACommitSaysWhatItFollowsAndWhereItEnds) {
  start();
  const std::vector<Line> file(3);
  next_ = 40;
  send(batch_of(file, 0, 3, header_of(kSource)));
  const Commit commit = take();
  EXPECT_EQ(commit.partition, kPartition);
  EXPECT_EQ(commit.epoch, 7U);
  EXPECT_EQ(commit.expected_next_offset, -1);
  EXPECT_EQ(commit.next_offset, 41);
  EXPECT_EQ(commit.cluster_id, "cluster-1");
  EXPECT_EQ(requests(commit.windows), 3U);
  ASSERT_EQ(commit.sources.size(), 1U);
  EXPECT_EQ(commit.sources[0].path, "/var/log/nginx/access.log");
  EXPECT_EQ(commit.new_sites, std::vector<std::string>{"shop.example"});
}

TEST_F(SettlerTest, WhatIsAppliedAfterTakeGoesIntoTheNextCommit) {
  start();
  const std::vector<Line> file(5);
  send(batch_of(file, 0, 2, header_of(kSource)));
  const Commit first = take();
  send(batch_of(file, 2, 5, header_of(kSource)));
  const Commit again = take();  // tried again: the same commit
  EXPECT_EQ(again.next_offset, first.next_offset);
  EXPECT_EQ(again.windows, first.windows);
  EXPECT_EQ(again.sources[0].lines, 2U);
  settler_->committed(first);
  EXPECT_TRUE(settler_->has_pending(kPartition));
  const Commit second = take();
  EXPECT_EQ(second.expected_next_offset, first.next_offset);
  EXPECT_EQ(requests(second.windows), 3U);
  EXPECT_EQ(second.sources[0].lines, 5U);
  settler_->committed(second);
  EXPECT_FALSE(settler_->has_pending(kPartition));
}

TEST_F(SettlerTest, OffsetsSeenBeforeAreIgnored) {
  start();
  const std::string line = "192.0.2.1 [2026-11-23T10:00:00+00:00] \"GET / HTTP/1.1\" 200 10 a.example";
  settler_->apply(message_at(5, line), kNow);
  settler_->apply(message_at(5, line), kNow);
  settler_->apply(message_at(4, line), kNow);
  EXPECT_EQ(requests(take().windows), 1U);
}

TEST_F(SettlerTest, MessagesOfAPartitionThatIsNotOursAreIgnored) {
  start();
  settler_->apply(message_at(0, "anything", 3), kNow);
  EXPECT_TRUE(std::holds_alternative<Ready>(
      settler_->need(message_at(0, batch_of(std::vector<Line>(1), 0, 1, header_of(kSource)), 3))));
  EXPECT_TRUE(settler_->pending_partitions().empty());
}

TEST_F(SettlerTest, PoisonBecomesADeadLetterAndTheNextMessageCounts) {
  start();
  const std::vector<Line> file(2);
  std::string torn = batch_of(file, 0, 2, header_of(kSource));
  torn.resize(torn.size() / 2);
  send(torn);
  send(std::string("\x00\x01\x02", 3));
  send(std::string(100'000, '{'));
  send("");
  send(batch_of(file, 0, 2, header_of(kSource)));
  const Commit commit = take();
  EXPECT_EQ(commit.dead_letter_count, 3U);
  ASSERT_EQ(commit.dead_letters.size(), 3U);
  EXPECT_FALSE(commit.dead_letters[0].reason.empty());
  EXPECT_EQ(commit.dead_letters[0].offset, 0);
  EXPECT_EQ(commit.dead_letters[2].text.size(), 512U);
  EXPECT_EQ(requests(commit.windows), 2U);
}

TEST_F(SettlerTest, DeadLettersAreBoundedAndAllCounted) {
  start();
  for (int i = 0; i < 5000; ++i) send("rubbish");
  const Commit commit = take();
  EXPECT_EQ(commit.dead_letter_count, 5000U);
  EXPECT_LE(commit.dead_letters.size(), 1000U);
  EXPECT_GT(commit.dead_letters.size(), 0U);
}

TEST_F(SettlerTest, AGapIsKeptInTheCoverageAndClosedByALaterBatch) {
  start();
  const std::vector<Line> file(4);
  send(batch_of(file, 0, 1, header_of(kSource)));
  send(batch_of(file, 3, 4, header_of(kSource)));
  commit_all(*settler_, store_);
  EXPECT_EQ(store_.sources[kSource].coverage.gap_bytes(), 160U);
  send(batch_of(file, 0, 4, header_of(kSource)));
  commit_all(*settler_, store_);
  EXPECT_EQ(store_.sources[kSource].coverage.gap_bytes(), 0U);
  EXPECT_EQ(requests(store_.windows), 4U);
  EXPECT_EQ(settler_->counters().duplicate_bytes, 160U);
}

TEST_F(SettlerTest, ALineThatIsPartlyCountedIsNotCountedAgain) {
  start();
  std::vector<Line> file(2);
  send(batch_of(file, 0, 1, header_of(kSource)));  // [0, 80)
  file[0].line_bytes = 50;                         // the file was rewritten: [0, 50), [50, 130)
  send(batch_of(file, 0, 2, header_of(kSource)));
  const Commit commit = take();
  EXPECT_EQ(requests(commit.windows), 1U);
  EXPECT_EQ(commit.sources[0].coverage.high_water(), 130U);
}

TEST_F(SettlerTest, SitesBeyondTheBoundAreOther) {
  SettlerConfig config;
  config.max_sites = 2;
  start(config, {"known.example"});
  std::vector<Line> file(4);
  file[0].host = "known.example";
  file[1].host = "new.example";
  file[2].host = "third.example";
  file[3].host = "bad host <script>";
  send(batch_of(file, 0, 4, header_of(kSource)));
  const Commit commit = take();
  EXPECT_EQ(requests(commit.windows, "known.example"), 1U);
  EXPECT_EQ(requests(commit.windows), 4U);
  EXPECT_EQ(requests(commit.windows, kInvalidSite), 1U);
  EXPECT_EQ(requests(commit.windows, kOtherSite), 1U);
  EXPECT_EQ(commit.new_sites.size(), 1U);
}

TEST_F(SettlerTest, ASiteWhoseCommitWasDroppedIsCarriedByTheNext) {
  start();
  const std::vector<Line> file(1);
  send(batch_of(file, 0, 1, header_of(kSource)));
  settler_->assign(kPartition, store_.partitions[kPartition]);
  next_ = 0;
  send(batch_of(file, 0, 1, header_of(kSource)));
  EXPECT_EQ(take().new_sites, std::vector<std::string>{"shop.example"});
}

TEST_F(SettlerTest, HeartbeatsBecomeAgentStates) {
  start();
  BatchHeader header = header_of({});
  header.kind = BatchKind::kHeartbeat;
  header.watermark_ms = 1'763'999'990'000;
  header.lag_bytes = 4096;
  header.host = "web1\x1b[31m";
  auto message = encode_heartbeat(header);
  ASSERT_TRUE(message.has_value()) << message.error().what;
  send(*message);
  const Commit commit = take();
  ASSERT_EQ(commit.agents.size(), 1U);
  EXPECT_EQ(commit.agents[0].agent_id, "agent-1");
  EXPECT_EQ(commit.agents[0].host, "web1?[31m");
  EXPECT_EQ(commit.agents[0].watermark_ms, 1'763'999'990'000);
  EXPECT_EQ(commit.agents[0].lag_bytes, 4096U);
  EXPECT_EQ(commit.agents[0].last_heartbeat_ms, 1'764'000'000'000);
}

TEST_F(SettlerTest, ALossIsAGapUntilItsBytesCome) {
  start();
  const std::vector<Line> file(4);  // of 80 bytes each
  send(batch_of(file, 0, 1, header_of({1, 1})));
  BatchHeader lost = header_of({1, 1});
  lost.kind = BatchKind::kLoss;
  lost.loss_cause = LossCause::kTruncatedUnread;
  lost.range = {40, 240};
  send(encode_loss(lost).value());
  send(encode_loss(lost).value());  // its answer was lost
  Commit commit = take();
  ASSERT_EQ(commit.sources.size(), 1U);
  EXPECT_EQ(commit.sources[0].coverage.gaps(),
            (std::vector<Gap>{{80, 240, LossCause::kTruncatedUnread, kNow}}));
  EXPECT_EQ(requests(commit.windows), 1U);
  settler_->committed(commit);

  send(batch_of(file, 1, 3, header_of({1, 1})));  // from a copy of the log
  commit = take();
  EXPECT_TRUE(commit.sources[0].coverage.gaps().empty());
  EXPECT_EQ(commit.sources[0].version, 1U);
  EXPECT_EQ(requests(commit.windows), 2U);
}

TEST_F(SettlerTest, AClaimMakesAGapOfWhatNeverCame) {
  start();
  const std::vector<Line> file(4);
  send(batch_of(file, 0, 1, header_of({1, 1})));
  BatchHeader claim = header_of({1, 1});
  claim.kind = BatchKind::kClaim;
  claim.range = {0, 80};
  send(encode_claim(claim).value());
  Commit commit = take();
  EXPECT_TRUE(commit.sources[0].coverage.gaps().empty()) << "all of it came";
  settler_->committed(commit);
  claim.range = {0, 320};
  send(encode_claim(claim).value());
  commit = take();
  EXPECT_EQ(commit.sources[0].coverage.gaps(), (std::vector<Gap>{{80, 320, LossCause::kNotReceived, kNow}}));
}

TEST_F(SettlerTest, TwoHostsWithOneAgentIdAreNamed) {
  start();
  const std::vector<Line> file(1);
  send(batch_of(file, 0, 1, header_of({1, 1})));
  EXPECT_TRUE(settler_->problems(kNow).empty());
  BatchHeader clone = header_of({1, 2});
  clone.instance = 2;
  clone.host = "web2";
  send(batch_of(file, 0, 1, clone));
  ASSERT_EQ(settler_->problems(kNow).size(), 1U);
  EXPECT_THAT(settler_->problems(kNow)[0], HasSubstr("web1"));
  EXPECT_THAT(settler_->problems(kNow)[0], HasSubstr("web2"));
  EXPECT_TRUE(settler_->problems(kNow + 3'600'000).empty());
  EXPECT_EQ(requests(take().windows), 2U);
}

TEST_F(SettlerTest, AHostNameIsCleanedBeforeItIsAKey) {
  start();
  BatchHeader header = header_of(kSource);
  header.host = "web\n" + std::string(400, 'x');
  std::vector<Line> file(1);
  file[0].time_ms += 30'000;  // away from a window's edge
  send(batch_of(file, 0, 1, header));
  const Commit commit = take();
  ASSERT_EQ(commit.windows.size(), 1U);
  EXPECT_EQ(commit.windows.begin()->first.host.size(), 255U);
  EXPECT_EQ(commit.windows.begin()->first.host.substr(0, 5), "web?x");
}

TEST_F(SettlerTest, NoDeceivingCharacterReachesTheStore) {
  constexpr const char* kOverride = "\xE2\x80\xAE";
  start();
  BatchHeader header = header_of(kSource);
  header.host = std::string("web") + kOverride;
  header.agent_id = std::string("agent") + kOverride;
  header.path = std::string("/var/log/") + kOverride + "gol";
  header.input = std::string("in") + kOverride;
  send(batch_of(std::vector<Line>(1), 0, 1, header));
  send(std::string(kOverride) + "rubbish");
  const Commit commit = take();
  for (const auto& [key, sum] : commit.windows) EXPECT_EQ(key.host, "web?");
  for (const SourceState& state : commit.sources) {
    for (const auto& text : {state.host, state.agent_id, state.path, state.input})
      EXPECT_THAT(text, ::testing::Not(HasSubstr(kOverride)));
  }
  ASSERT_EQ(commit.dead_letters.size(), 1U);
  EXPECT_THAT(commit.dead_letters[0].text, HasSubstr("\\u202erubbish"));
  EXPECT_THAT(commit.dead_letters[0].text, ::testing::Not(HasSubstr(kOverride)));
}

TEST_F(SettlerTest, MessagesThatRetentionRemovedAreRecorded) {
  start();
  settler_->apply(message_at(9, "rubbish"), kNow);
  settler_->record_gap({kPartition, 10, 50}, kNow);
  settler_->apply(message_at(50, "rubbish"), kNow);
  const Commit commit = take();
  ASSERT_EQ(commit.dead_letters.size(), 3U);
  EXPECT_THAT(commit.dead_letters[1].reason, HasSubstr("[10, 50)"));
  EXPECT_EQ(commit.next_offset, 51);
}

TEST_F(SettlerTest, ATopicCreatedAgainIsReadFromItsStart) {
  start();
  store_.partitions[kPartition].next_offset = 500;
  settler_->assign(kPartition, store_.partitions[kPartition]);
  settler_->record_gap({kPartition, 500, 0}, kNow);
  settler_->apply(message_at(0, "rubbish"), kNow);
  const Commit commit = take();
  EXPECT_EQ(commit.expected_next_offset, 500);
  EXPECT_EQ(commit.next_offset, 1);
  EXPECT_EQ(commit.dead_letter_count, 2U);
}

TEST_F(SettlerTest, ASourceThatMovedToAnotherPartitionWaitsForTheFirst) {
  start();
  const PartitionKey other{"access", 1};
  store_.partitions[other].epoch = 3;
  settler_->assign(other, store_.partitions[other]);
  const std::vector<Line> file(3);
  send(batch_of(file, 0, 2, header_of(kSource)));
  const auto moved = message_at(0, batch_of(file, 0, 3, header_of(kSource)), 1);
  const auto need = settler_->need(moved);
  ASSERT_TRUE(std::holds_alternative<CommitFirst>(need));
  EXPECT_EQ(std::get<CommitFirst>(need).partition, kPartition);
  commit_all(*settler_, store_);
  EXPECT_TRUE(std::holds_alternative<Load>(settler_->need(moved))) << "as the commit left it";
  deliver(*settler_, store_, moved);
  commit_all(*settler_, store_);
  EXPECT_EQ(requests(store_.windows), 3U);
}

TEST_F(SettlerTest, PendingBytesGrowWithWhatIsHeld) {
  start();
  std::vector<Line> file(200);
  for (std::size_t i = 0; i < file.size(); ++i) file[i].time_ms += static_cast<std::int64_t>(i) * 60'000;
  EXPECT_EQ(settler_->pending_bytes(), 0U);
  send(batch_of(file, 0, 200, header_of(kSource)));
  EXPECT_GT(settler_->pending_bytes(), 200 * sizeof(WindowSum));
  settler_->committed(take());
  EXPECT_EQ(settler_->pending_bytes(), 0U);
}

TEST_F(SettlerTest, JsonOfOtherShippersIsReadByItsLine) {
  start();
  const std::string line =
      R"(192.0.2.1 [2026-11-23T10:00:00+00:00] \"GET / HTTP/1.1\" 404 321 Shop.Example:443)";
  send(R"({"@timestamp":"2026-11-23T10:00:01.000Z","message":")" + line +
       R"(","host":{"name":"fb1"},"log":{"offset":0,"file":{"path":"/l"}}})");
  send(R"({"log":")" + line + R"(","hostname":"fluent1"})");
  send(R"({"message":")" + line + R"(","host":"vector1","source_type":"file"})");
  send(R"({"message":"hello","host":"vector1"})");
  const Commit commit = take();
  EXPECT_EQ(commit.dead_letter_count, 1U);
  std::map<std::string, WindowSum> by_host;
  for (const auto& [key, sum] : commit.windows) {
    EXPECT_EQ(key.site, "shop.example");
    EXPECT_EQ(key.status, 404);
    by_host[key.host].merge(sum);
  }
  ASSERT_EQ(by_host.size(), 3U);
  for (const char* host : {"fb1", "fluent1", "vector1"}) {
    EXPECT_EQ(by_host[host].requests, 1U) << host;
    EXPECT_EQ(by_host[host].bytes_sent, 321U) << host;
  }
}

TEST_F(SettlerTest, OurOwnJsonIsReadFlatAndNested) {
  start();
  send(R"({"@timestamp":"2026-11-23T10:00:00.500Z","http.response.status_code":200,"http.response.bytes":10,)"
       R"("nginx.access.request_time":0.123,"url.domain":"a.example","url.path":"/","host.name":"h"})");
  send(R"({"@timestamp":"2026-11-23T12:00:00.500+02:00","http":{"response":{"status_code":200,"bytes":30}},)"
       R"("nginx":{"access":{"request_time":"0.077"}},"url":{"domain":"a.example"},"host":{"name":"h"}})");
  const Commit commit = take();
  EXPECT_EQ(commit.dead_letter_count, 0U);
  ASSERT_EQ(commit.windows.size(), 1U);
  const auto& [key, sum] = *commit.windows.begin();
  EXPECT_EQ(key.start_s, 1'795'428'000);
  EXPECT_EQ(key.site, "a.example");
  EXPECT_EQ(sum.requests, 2U);
  EXPECT_EQ(sum.bytes_sent, 40U);
  EXPECT_EQ(sum.request_time_ms, 200U);
}

TEST(Settler, AForeignFormatThatDoesNotCompileIsAnError) {
  SettlerConfig config;
  config.foreign_format = {.kind = FormatSpec::Kind::kRegex, .text = "(?P<broken"};
  EXPECT_FALSE(Settler::create(config, {}).has_value());
}

}  // namespace
}  // namespace weir
