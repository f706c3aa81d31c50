// The core on simulated files, time and a registry's disk, with an output that answers on command.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "agent/core.h"
#include "proto/batch.h"
#include "tests/sim/broker.h"
#include "tests/sim/files.h"
#include "tests/sim/registry.h"

namespace weir {

inline std::string line(int n) {
  return "192.0.2.1 - - [24/Nov/2026:10:00:00 +0000] \"GET /" + std::to_string(n) +
         " HTTP/1.1\" 200 10 \"-\" \"-\"\n";
}

// An output that answers on command.
class FakeOutput : public Output {
 public:
  struct Sent {
    std::uint64_t id;
    BatchHeader header;
    std::size_t route;
    std::uint32_t lines;  // in windows
  };
  void set_on_settled(Settled on_settled) override { on_settled_ = std::move(on_settled); }
  [[nodiscard]] Result<void> send(Message& message) override {
    if (taken == takes) return fail(Code::kFull, "no more before the next poll");
    ++taken;
    auto batch = decode_batch(message.payload);
    if (!batch) return std::unexpected(batch.error());
    sent.push_back({message.id, batch->header, message.route, batch->folded.lines});
    return {};
  }
  [[nodiscard]] std::int32_t partition_count(std::size_t /*route*/) override { return partitions; }
  void poll() override {
    if (takes == kAll) return;
    taken = 0;
    answer();
  }
  [[nodiscard]] int readable_fd() const override { return -1; }
  [[nodiscard]] OutputStatus status() const override { return state; }
  void answer_one(const Error* error = nullptr) {
    const auto at = answered++;
    on_settled_(sent[at].id, error);
  }
  void answer(const Error* error = nullptr) {
    for (; answered < sent.size(); ++answered) on_settled_(sent[answered].id, error);
  }
  // Claims count as losses, as on the wire.
  [[nodiscard]] std::vector<ByteRange> ranges(BatchKind kind) const {
    std::vector<ByteRange> out;
    for (const auto& message : sent) {
      const auto sent_kind =
          message.header.kind == BatchKind::kClaim ? BatchKind::kLoss : message.header.kind;
      if (sent_kind == kind) out.push_back(message.header.range);
    }
    return out;
  }

  static constexpr auto kAll = ~std::size_t{0};
  std::size_t takes = kAll;  // messages accepted until the next poll(), which answers them, like a file
  std::size_t taken = 0;
  std::vector<Sent> sent;
  std::size_t answered = 0;
  std::int32_t partitions = 1;  // 0: no broker yet
  OutputStatus state{.connected = true, .blocked_because = {}, .reconnects = 0};

 private:
  Settled on_settled_;
};

class AgentCoreTest : public ::testing::Test {
 protected:
  AgentCoreTest() {
    config_.id = "web1";
    config_.ship.heartbeat_interval = std::chrono::hours(10);
    InputConfig input;
    input.name = "web";
    input.paths = {"/l/a.log"};
    config_.inputs.push_back(input);
  }
  void start() {
    core_.reset();
    output_ = std::make_unique<FakeOutput>();
    auto registry =
        Registry::open(std::make_unique<sim::SimRegistryFile>(disk_, random_, write_fails_, crashes_));
    auto core = AgentCore::create(config_,
                                  {.output = *output_,
                                   .files = files_,
                                   .clock = clock_,
                                   .registry = std::move(*registry),
                                   .host = "web1"},
                                  {.say = [this](LogLevel level, std::string_view what) {
                                    (level < LogLevel::kWarning ? events_ : said_).emplace_back(what);
                                  }});
    core_ = std::move(*core);
  }
  // Runs everything that is due within `ms`, answered at once.
  void run(std::int64_t ms = 1000, bool answer = true) {
    for (; ms > 0; ms -= 100) {
      core_->tick();
      while (core_->work()) {
      }
      if (answer) output_->answer();
      clock_.advance(100);
    }
  }

  AgentConfig config_;
  sim::SimClock clock_;
  sim::SimFiles files_{clock_};
  sim::Random random_{1};
  sim::RegistryDisk disk_;
  std::uint64_t write_fails_ = 0, crashes_ = 0;
  std::unique_ptr<FakeOutput> output_;
  std::unique_ptr<AgentCore> core_;
  std::vector<std::string> said_;
  std::vector<std::string> events_;  // files opened, rotated, truncated, finished
};

}  // namespace weir
