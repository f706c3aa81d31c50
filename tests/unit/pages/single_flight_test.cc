#include "aggregator/pages/single_flight.h"

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <stdexcept>
#include <string>
#include <thread>

namespace weir {
namespace {

TEST(SingleFlight, AnErrorReachesAllWhoWaitAndTheNextAsksAgain) {
  SingleFlight<std::string, int> flight;
  std::promise<void> release;
  const auto held = release.get_future().share();
  const auto fails = [&]() -> int {
    held.wait();
    throw std::runtime_error("away");
  };
  const auto ask = [&] { return flight.ask("a", fails); };
  auto first = std::async(std::launch::async, ask);
  auto second = std::async(std::launch::async, ask);
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  while (flight.waiting() == 0 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  release.set_value();
  EXPECT_THROW(first.get(), std::runtime_error);
  EXPECT_THROW(second.get(), std::runtime_error);
  EXPECT_EQ(flight.waiting(), 0U);
  EXPECT_EQ(flight.ask("a", [] { return 7; }), 7);
}

TEST(SingleFlight, OtherKeysDoNotWait) {
  SingleFlight<std::string, int> flight;
  const int nested = flight.ask("a", [&] { return 1 + flight.ask("b", [] { return 1; }); });
  EXPECT_EQ(nested, 2);
}

}  // namespace
}  // namespace weir
