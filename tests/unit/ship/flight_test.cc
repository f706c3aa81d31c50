#include "agent/ship/flight.h"

#include <gtest/gtest.h>

#include <optional>
#include <utility>
#include <vector>

namespace weir {
namespace {

// Accepts `room` messages, and answers on command.
class SlowOutput : public Output {
 public:
  void set_on_settled(Settled on_settled) override { on_settled_ = std::move(on_settled); }
  [[nodiscard]] Result<void> send(Message& message) override {
    if (refuses) return fail(Code::kUnavailable, "refused at once");
    if (sent.size() >= room) return fail(Code::kFull, "full");
    sent.push_back(message.id);
    return {};
  }
  [[nodiscard]] std::int32_t partition_count(std::size_t /*route*/) override { return 1; }
  void poll() override {}
  [[nodiscard]] int readable_fd() const override { return -1; }
  [[nodiscard]] OutputStatus status() const override { return {}; }
  void answer(std::uint64_t id, const Error* error = nullptr) { on_settled_(id, error); }

  std::size_t room = 100;
  bool refuses = false;
  std::vector<std::uint64_t> sent;

 private:
  Settled on_settled_;
};

class FlightTest : public ::testing::Test {
 protected:
  std::vector<Message> messages(int count) {
    std::vector<Message> out;
    for (; count > 0; --count) out.push_back({.id = flight_.next_id(), .key = {}, .payload = "payload"});
    return out;
  }
  static SentLines lines(std::uint64_t begin, std::uint64_t end) {
    return {.source = nullptr, .range = {begin, end}, .counts = {}};
  }
  SlowOutput output_;
  struct Settled {
    std::uint64_t id;
    std::size_t route;
    ByteRange range;
    std::optional<Code> error;
    bool last, failed;
  };
  std::vector<Settled> settled_;
  Flight flight_{output_, 100, [this](const Flight::Settled& done) {
                   const auto* sent = std::get_if<SentLines>(&done.what);
                   settled_.push_back({done.id, done.route, sent == nullptr ? ByteRange{} : sent->range,
                                       done.error == nullptr ? std::nullopt : std::optional(done.error->code),
                                       done.last, done.failed});
                 }};
};

TEST_F(FlightTest, LinesAreInFlightUntilAllTheirMessagesAreSettled) {
  EXPECT_TRUE(flight_.send(messages(2), lines(0, 40)));
  flight_.check();
  EXPECT_EQ(flight_.bytes(), 40);
  EXPECT_FALSE(flight_.empty());
  output_.answer(1);
  ASSERT_EQ(settled_.size(), 1);
  EXPECT_EQ(settled_[0].id, 1);
  EXPECT_FALSE(settled_[0].last);
  EXPECT_EQ(flight_.bytes(), 40);
  output_.answer(2);
  ASSERT_EQ(settled_.size(), 2);
  EXPECT_EQ(settled_[1].range, (ByteRange{0, 40}));
  EXPECT_TRUE(settled_[1].last);
  EXPECT_FALSE(settled_[1].failed);
  EXPECT_EQ(flight_.bytes(), 0);
  EXPECT_TRUE(flight_.empty());
  output_.answer(2);  // a second time: no longer ours
  EXPECT_EQ(settled_.size(), 2);
}

TEST_F(FlightTest, EachMessageSaysItsRouteAndWhetherItWasAcknowledged) {
  auto both = messages(2);
  both[1].route = 1;
  flight_.send(std::move(both), lines(0, 40));
  const Error away{Code::kUnavailable, "away", ""};
  output_.answer(2, &away);
  output_.answer(1);
  ASSERT_EQ(settled_.size(), 2);
  EXPECT_EQ(settled_[0].route, 1);
  EXPECT_EQ(settled_[0].error, Code::kUnavailable);
  EXPECT_EQ(settled_[1].route, 0);
  EXPECT_FALSE(settled_[1].error);
  EXPECT_TRUE(settled_[1].last && settled_[1].failed);
}

TEST_F(FlightTest, WhatTheOutputHasNoRoomForIsHeldAndSentInItsOrder) {
  output_.room = 1;
  EXPECT_FALSE(flight_.send(messages(2), lines(0, 10)));
  EXPECT_FALSE(flight_.send(messages(1), SentHeartbeat{}));
  flight_.check();
  EXPECT_EQ(flight_.held(), 2);
  EXPECT_FALSE(flight_.quiet());
  output_.room = 2;
  EXPECT_FALSE(flight_.send_held());
  output_.room = 3;
  EXPECT_TRUE(flight_.send_held());
  EXPECT_EQ(output_.sent, (std::vector<std::uint64_t>{1, 2, 3}));
  flight_.check();
}

TEST_F(FlightTest, StagedLinesCountUntilTheyAreSettledOrAbandoned) {
  flight_.stage({messages(1), lines(0, 10), "", true});
  flight_.stage({messages(1), lines(10, 30), "", true});
  flight_.check();
  EXPECT_EQ(flight_.bytes(), 30);
  EXPECT_TRUE(output_.sent.empty());
  auto staged = flight_.take_staged();
  ASSERT_EQ(staged.size(), 2);
  flight_.abandon(staged[1]);
  EXPECT_TRUE(flight_.send(std::move(staged[0])));
  flight_.check();
  EXPECT_EQ(flight_.bytes(), 10);
  output_.answer(1);
  EXPECT_EQ(flight_.bytes(), 0);
}

TEST_F(FlightTest, HeartbeatsAloneAreQuiet) {
  flight_.send(messages(1), SentHeartbeat{});
  EXPECT_TRUE(flight_.quiet());
  EXPECT_FALSE(flight_.empty());
  flight_.send(messages(1), SentLoss{});
  EXPECT_TRUE(flight_.loss_in_flight());
  EXPECT_FALSE(flight_.quiet());
  output_.answer(2);
  EXPECT_FALSE(flight_.loss_in_flight());
}

TEST_F(FlightTest, WhatIsRefusedAtOnceIsSettledAtOnce) {
  output_.refuses = true;
  EXPECT_TRUE(flight_.send(messages(1), lines(0, 10)));
  ASSERT_EQ(settled_.size(), 1);
  EXPECT_TRUE(settled_[0].error);
  EXPECT_TRUE(settled_[0].last);
  EXPECT_EQ(flight_.bytes(), 0);
}

#ifdef WEIR_MUST
using FlightDeathTest = FlightTest;

TEST_F(FlightDeathTest, NothingIsReadBeyondMaxInFlight) {
  flight_.send(messages(1), lines(0, 100));
  EXPECT_DEATH(flight_.send(messages(1), lines(100, 101)), "reading stops at max_in_flight");
}
#endif

}  // namespace
}  // namespace weir
