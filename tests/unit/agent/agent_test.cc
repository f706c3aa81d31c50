// The engine on real files, with a queue in this process as its output: what is sent, in which order, and
// what is remembered after a restart.
#include "agent/agent.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <thread>

#include "agent/ship/queue_output.h"
#include "tests/unit/temp_folder.h"

namespace weir {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TempFolder;
using ::testing::UnorderedElementsAre;
using namespace std::chrono_literals;

constexpr auto kDeadline = 30s;

AgentConfig config_of(const TempFolder& folder, std::vector<std::string> paths) {
  AgentConfig config;
  config.id = "web1";
  config.state_dir = folder / "state";
  config.output.kind = OutputKind::kFile;  // with its codec "raw": the lines unchanged
  config.output.codec = Codec::kRaw;
  config.ship.flush_interval = 10ms;
  InputConfig input;
  input.name = "web";
  input.paths = std::move(paths);
  config.inputs.push_back(input);
  return config;
}

// A line of the "combined" format. Equal arguments give equal bytes.
std::string line(int n) {
  return "192.0.2.1 - - [24/Nov/2026:10:00:00 +0000] \"GET /" + std::to_string(n) +
         " HTTP/1.1\" 200 10 \"-\" \"-\"\n";
}

std::string lines(int first, int end) {
  std::string text;
  for (int n = first; n < end; ++n) text += line(n);
  return text;
}

// An agent on a thread of its own. The test takes and acknowledges what it sends.
class Running {
 public:
  explicit Running(const AgentConfig& config, AgentOptions options = {}, std::size_t queue = 64)
      : output_(queue) {
    auto created = Agent::create(config, output_, std::move(options));
    if (!created) throw std::runtime_error(created.error().what);
    agent_ = std::move(*created);
    thread_ = std::thread([this] {
      result_ = agent_->run();
      ended_ = true;
    });
  }
  ~Running() { stop(true); }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;

  // Takes batches until `fact` holds; false if the deadline comes first.
  template <class Fact>
  bool until(const Fact& fact, bool acknowledge = true) {
    const auto deadline = std::chrono::steady_clock::now() + kDeadline;
    while (!fact()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      take(acknowledge);
    }
    return true;
  }
  bool until_text(const std::string& expected) {
    return until([&] { return text_.size() >= expected.size() && agent_->status().caught_up; }) &&
           text_ == expected;
  }
  void take(bool acknowledge = true) {
    std::vector<Message> messages;
    output_.pop(10ms, 64, messages);
    for (auto& message : messages) {
      text_ += message.payload;
      last_id_ = message.id;
    }
    if (acknowledge && last_id_ != 0) output_.acknowledge(last_id_);
  }
  void stop(bool acknowledge) {
    if (!thread_.joinable()) return;
    agent_->stop();
    while (!ended_) take(acknowledge);
    thread_.join();
  }

  Agent& agent() { return *agent_; }
  [[nodiscard]] const std::string& text() const { return text_; }
  [[nodiscard]] bool ended() const { return ended_; }
  // How often each line arrived.
  [[nodiscard]] std::map<std::string, int> counts() const {
    std::map<std::string, int> counts;
    for (std::size_t at = 0; at < text_.size();) {
      const auto end = text_.find('\n', at) + 1;
      ++counts[text_.substr(at, end - at)];
      at = end;
    }
    return counts;
  }

 private:
  QueueOutput output_;
  std::unique_ptr<Agent> agent_;
  std::thread thread_;
  std::atomic<bool> ended_ = false;
  Result<void> result_;
  std::string text_;
  std::uint64_t last_id_ = 0;
};

TEST(Agent, FollowsAGrowingFileAndThePartialLineWaits) {
  const TempFolder folder;
  folder.write("a.log", line(1) + "192.0.2.1 - half");
  Running running(config_of(folder, {folder / "a.log"}));
  EXPECT_TRUE(running.until_text(line(1)));
  folder.append("a.log", " a line\n" + line(3));
  EXPECT_TRUE(running.until_text(line(1) + "192.0.2.1 - half a line\n" + line(3)));
  // The status is a snapshot, up to a second old.
  EXPECT_TRUE(running.until([&] { return running.agent().status().shipped_lines == 3; }));
  const auto status = running.agent().status();
  EXPECT_EQ(status.read_lines, 3U);
  EXPECT_EQ(status.shipped_lines, 3U);
  EXPECT_EQ(status.unparsed_lines, 1U);
  EXPECT_EQ(status.in_flight_bytes, 0U);
}

TEST(Agent, FindsFilesAndFoldersThatComeLater) {
  const TempFolder folder;
  auto config = config_of(folder, {folder / "logs/*/access.log"});
  config.tail.scan_interval = 60s;  // inotify alone must find them
  Running running(config);
  EXPECT_TRUE(running.until([&] { return running.agent().status().caught_up; }));
  fs::create_directories(folder / "logs/shop");
  folder.write("logs/shop/access.log", line(1));
  EXPECT_TRUE(running.until([&] { return running.text() == line(1); }));
  fs::create_directories(folder / "logs/www");
  folder.write("logs/www/access.log", line(2));
  EXPECT_TRUE(running.until([&] { return running.text() == line(1) + line(2); }));
}

TEST(Agent, ExcludedAndOldFilesAreNotOpened) {
  const TempFolder folder;
  folder.write("a.log", line(1));
  folder.write("b.log", line(2));
  folder.write("old.log", line(3));
  const timespec long_ago[2] = {{1'000'000'000, 0}, {1'000'000'000, 0}};
  ASSERT_EQ(::utimensat(AT_FDCWD, (folder / "old.log").c_str(), long_ago, 0), 0);
  auto config = config_of(folder, {folder / "*.log"});
  config.inputs[0].exclude = {folder / "b*"};
  config.inputs[0].ignore_older = 1h;
  Running running(config);
  EXPECT_TRUE(running.until_text(line(1)));
  EXPECT_EQ(running.agent().status().sources.size(), 1U);
}

TEST(Agent, StartsAtTheEndOfFilesThatAreThereAndAtTheBeginningOfLaterOnes) {
  const TempFolder folder;
  folder.write("a.log", line(1) + "192.0.2.1 half");
  auto config = config_of(folder, {folder / "*.log"});
  config.inputs[0].start_at_end = true;
  Running running(config);
  ASSERT_TRUE(running.until([&] { return !running.agent().status().sources.empty(); }));
  folder.append("a.log", " whole\n");
  EXPECT_TRUE(running.until([&] { return running.text() == "192.0.2.1 half whole\n"; })) << running.text();
  folder.write("b.log", line(3));
  EXPECT_TRUE(running.until([&] { return running.text() == "192.0.2.1 half whole\n" + line(3); }))
      << running.text();
}

TEST(Agent, RotationByRenameShipsTheOldToItsEndAndTheNewFromItsStart) {
  const TempFolder folder;
  folder.write("access.log", lines(0, 50));
  Running running(config_of(folder, {folder / "access.log"}));
  EXPECT_TRUE(running.until_text(lines(0, 50)));
  fs::rename(folder / "access.log", folder / "access.log.1");
  folder.append("access.log.1", lines(50, 60));  // the server keeps writing until it is told to reopen
  folder.write("access.log", lines(60, 70));
  EXPECT_TRUE(running.until([&] { return running.text().size() == lines(0, 70).size(); })) << running.text();
  for (const auto& [text, count] : running.counts()) EXPECT_EQ(count, 1) << text;
}

// The same requests within the same second give the same bytes. A new file under the old name is not a copy
// of the renamed one, even before anything was acknowledged.
TEST(Agent, AfterRotationTheSameLinesAgainAreNewLines) {
  for (const bool acknowledged_first : {false, true}) {
    const TempFolder folder;
    folder.write("access.log", lines(0, 50));
    Running running(config_of(folder, {folder / "access.log", folder / "access.log.1"}));
    if (acknowledged_first) {
      EXPECT_TRUE(running.until_text(lines(0, 50)));
    } else {
      EXPECT_TRUE(running.until([&] { return running.text() == lines(0, 50); }, false));
    }
    fs::rename(folder / "access.log", folder / "access.log.1");
    folder.write("access.log", lines(0, 20));
    EXPECT_TRUE(running.until([&] {
      return running.text().size() == lines(0, 50).size() + lines(0, 20).size();
    })) << running.text();
    EXPECT_EQ(running.counts()[line(0)], 2);
    EXPECT_EQ(running.counts()[line(49)], 1);
    folder.append("access.log", line(20));
    EXPECT_TRUE(running.until([&] { return running.counts()[line(20)] == 2; }));
  }
}

// The same, but the agent sees both files for the first time.
TEST(Agent, ARotatedFileThatBeginsLikeTheLiveOneIsAnotherFile) {
  const TempFolder folder;
  folder.write("access.log", lines(0, 20));
  folder.write("access.log.1", lines(0, 50));
  const auto config = config_of(folder, {folder / "access.log", folder / "access.log.1"});
  {
    Running running(config);
    EXPECT_TRUE(running.until([&] { return running.text().size() == (lines(0, 50) + lines(0, 20)).size(); }))
        << running.text();
    EXPECT_EQ(running.counts()[line(19)], 2);
    running.stop(true);
  }
  folder.append("access.log", line(90));
  folder.append("access.log.1", line(91));
  Running running(config);
  EXPECT_TRUE(running.until(
      [&] { return running.text().size() >= 2 * line(90).size() && running.agent().status().caught_up; }));
  EXPECT_EQ(running.counts(), (std::map<std::string, int>{{line(90), 1}, {line(91), 1}})) << running.text();
}

TEST(Agent, AShorterCopyOfALongerOriginalIsACopyAtTheFirstLookToo) {
  const TempFolder folder;
  folder.write("access.log", lines(0, 50));
  folder.write("access.log.1", lines(0, 20));
  Running running(config_of(folder, {folder / "access.log.1", folder / "access.log"}));
  EXPECT_TRUE(running.until([&] {
    return running.counts()[line(49)] == 1 && running.agent().status().caught_up;
  })) << running.text();
  // They may be read in either order; under one id the store counts each range once.
  for (const auto& source : running.agent().status().sources)
    EXPECT_EQ(source.id, running.agent().status().sources.front().id);
}

TEST(Agent, ACopyBesideTheFileAddsNothingNotEvenWhileItIsWritten) {
  const TempFolder folder;
  folder.write("access.log", lines(0, 50));
  Running running(config_of(folder, {folder / "access.log*"}));
  EXPECT_TRUE(running.until_text(lines(0, 50)));
  folder.write("access.log.1", lines(0, 10) + "192.0");  // cp is still copying
  folder.write("other.log", "");
  folder.write("access.log.2", line(1000));  // seen in the same scan or a later one
  EXPECT_TRUE(running.until([&] { return running.text() == lines(0, 50) + line(1000); })) << running.text();
  folder.write("access.log.1", lines(0, 50));
  // copytruncate's second half, with new lines in the truncated file.
  folder.write("access.log", "");
  EXPECT_TRUE(running.until([&] { return running.agent().status().caught_up; }));
  folder.append("access.log", lines(50, 60));
  EXPECT_TRUE(running.until([&] { return running.counts()[line(59)] == 1; }));
  for (const auto& [text, count] : running.counts()) EXPECT_EQ(count, 1) << text;
}

TEST(Agent, WhatWasCopiedAwayBeforeItWasReadIsReadInTheCopy) {
  const TempFolder folder;
  folder.write("access.log", lines(0, 50));
  auto config = config_of(folder, {folder / "access.log*"});
  {
    Running running(config);
    EXPECT_TRUE(running.until_text(lines(0, 50)));
    running.stop(true);
  }
  folder.append("access.log", lines(50, 60));
  fs::copy_file(folder / "access.log", folder / "access.log.1");
  folder.write("access.log", lines(60, 65));
  Running running(config);
  EXPECT_TRUE(running.until([&] { return running.text().size() == lines(50, 65).size(); })) << running.text();
  for (const auto& [text, count] : running.counts()) EXPECT_EQ(count, 1) << text;
}

TEST(Agent, AFileReplacedByAnEditorGoesOn) {
  const TempFolder folder;
  folder.write("access.log", lines(0, 20));
  Running running(config_of(folder, {folder / "access.log"}));
  EXPECT_TRUE(running.until_text(lines(0, 20)));
  folder.write("tmp", lines(0, 25));
  fs::rename(folder / "tmp", folder / "access.log");
  EXPECT_TRUE(running.until([&] { return running.counts()[line(24)] == 1; })) << running.text();
}

TEST(Agent, AfterARestartGoesOnBehindWhatWasAcknowledged) {
  const TempFolder folder;
  folder.write("access.log", lines(0, 30));
  const auto config = config_of(folder, {folder / "access.log*"});
  {
    Running running(config);
    EXPECT_TRUE(running.until_text(lines(0, 30)));
    running.stop(true);
  }
  fs::rename(folder / "access.log", folder / "access.log.1");
  folder.append("access.log.1", lines(30, 35));
  folder.write("access.log", lines(0, 10));  // looks alike
  Running running(config);
  EXPECT_TRUE(running.until([&] { return running.text().size() == (lines(30, 35) + lines(0, 10)).size(); }))
      << running.text();
  EXPECT_EQ(running.counts()[line(34)], 1);
  EXPECT_EQ(running.counts()[line(9)], 1);
}

TEST(Agent, WhatWasNeverAcknowledgedIsSentAgain) {
  const TempFolder folder;
  folder.write("access.log", lines(0, 30));
  auto config = config_of(folder, {folder / "access.log"});
  config.ship.shutdown_timeout = 50ms;
  {
    Running running(config);
    EXPECT_TRUE(running.until([&] { return running.text() == lines(0, 30); }, false));
    running.stop(false);
  }
  Running running(config);
  EXPECT_TRUE(running.until_text(lines(0, 30)));
}

TEST(Agent, StopsReadingAtMaxInFlightAndKeepsWhatWasDeleted) {
  const TempFolder folder;
  folder.write("access.log", lines(0, 5000));
  auto config = config_of(folder, {folder / "access.log"});
  config.ship.batch_max_bytes = 4096;
  config.ship.max_in_flight = 16384;
  Running running(config);
  EXPECT_TRUE(running.until([&] { return running.text().size() >= 16384; }, false));
  const auto read = running.agent().status().read_bytes;
  EXPECT_LT(read, 16384U + 2 * 4096U);
  fs::remove(folder / "access.log");  // rotated away and deleted, but still open
  EXPECT_TRUE(running.until_text(lines(0, 5000)));
}

TEST(Agent, AFullOutputIsTriedAgain) {
  const TempFolder folder;
  folder.write("access.log", lines(0, 2000));
  auto config = config_of(folder, {folder / "access.log"});
  config.ship.batch_max_bytes = 4096;
  Running running(config, {}, 2);
  EXPECT_TRUE(running.until_text(lines(0, 2000)));
}

TEST(Agent, ReloadTakesTheNewInputsAndReadsNothingTwice) {
  const TempFolder folder;
  folder.write("a.log", lines(0, 10));
  folder.write("b.log", lines(100, 110));
  Running running(config_of(folder, {folder / "a.log"}));
  EXPECT_TRUE(running.until_text(lines(0, 10)));
  running.agent().reload(config_of(folder, {folder / "a.log", folder / "b.log"}));
  EXPECT_TRUE(running.until([&] { return running.counts()[line(109)] == 1; }));
  folder.append("a.log", line(10));
  EXPECT_TRUE(running.until([&] { return running.counts()[line(10)] == 1; }));
  for (const auto& [text, count] : running.counts()) EXPECT_EQ(count, 1) << text;
}

TEST(Agent, StoppedItShipsWhatWasReadAndRemembersIt) {
  const TempFolder folder;
  folder.write("a.log", lines(0, 10));
  const auto config = config_of(folder, {folder / "a.log"});
  {
    Running running(config);
    EXPECT_TRUE(running.until([&] { return running.text() == lines(0, 10); }, false));
    running.agent().stop();
    EXPECT_TRUE(running.until([&] { return running.ended(); }));
  }
  folder.append("a.log", line(10));
  Running running(config);
  EXPECT_TRUE(running.until_text(line(10)));
}

TEST(Agent, WithoutAnAnswerItEndsAfterTheShutdownTimeout) {
  const TempFolder folder;
  folder.write("a.log", lines(0, 10));
  auto config = config_of(folder, {folder / "a.log"});
  config.ship.shutdown_timeout = 100ms;
  Running running(config);
  EXPECT_TRUE(running.until([&] { return !running.text().empty(); }, false));
  running.agent().stop();
  EXPECT_TRUE(running.until([&] { return running.ended(); }, false));
}

TEST(Agent, WhatIsNoFileOrCannotBeReadIsAProblemThatIsSaid) {
  const TempFolder folder;
  ASSERT_EQ(::mkfifo((folder / "fifo.log").c_str(), 0600), 0);
  fs::create_directories(folder / "folder.log");
  folder.write("good.log", line(1));
  folder.write("damaged.log.gz", std::string("\x1f\x8b", 2) + std::string(100, 'x'));
  Running running(config_of(folder, {folder / "*.log", folder / "*.gz"}));
  EXPECT_TRUE(running.until(
      [&] { return running.text() == line(1) && running.agent().status().problems.size() == 3; }));
  std::string said;
  for (const auto& problem : running.agent().status().problems) said += problem + "\n";
  for (const char* name : {"fifo.log", "folder.log", "damaged.log.gz"})
    EXPECT_THAT(said, HasSubstr(folder / name));
}

TEST(Agent, ThatNeverRanLeavesNothingBehind) {
  const TempFolder folder;
  QueueOutput output;
  EXPECT_TRUE(Agent::create(config_of(folder, {folder / "a.log"}), output).has_value());
}

// The single box, whose store serves as the memory: positions come from there.
TEST(Agent, LookAlikesKeepTheirPositionsInAStoreWhateverTheOrder) {
  const TempFolder folder;
  folder.write("access.log.1", lines(0, 50));
  folder.write("access.log", lines(0, 20) + line(777));
  const auto config = config_of(folder, {folder / "access.log*"});
  std::map<SourceId, std::uint64_t> store;
  std::mutex mutex;
  const AgentOptions options{.position_of = [&](const SourceId& id) -> std::optional<std::uint64_t> {
    const std::lock_guard lock(mutex);
    const auto found = store.find(id);
    return found == store.end() ? std::nullopt : std::optional(found->second);
  }};
  {
    Running running(config, options);
    EXPECT_TRUE(running.until([&] {
      return running.text().size() ==
                 (lines(0, 70) + line(777)).size() - lines(50, 70).size() + lines(0, 20).size() &&
             running.agent().status().caught_up;
    })) << running.text().size();
    const std::lock_guard lock(mutex);
    for (const auto& source : running.agent().status().sources) store[source.id] = source.acknowledged_offset;
    EXPECT_EQ(store.size(), 2U);
  }
  folder.append("access.log", line(778));
  folder.append("access.log.1", line(779));
  Running running(config, options);
  EXPECT_TRUE(running.until(
      [&] { return running.text().size() >= 2 * line(778).size() && running.agent().status().caught_up; }));
  EXPECT_EQ(running.counts(), (std::map<std::string, int>{{line(778), 1}, {line(779), 1}})) << running.text();
}

}  // namespace
}  // namespace weir
