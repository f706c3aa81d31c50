#include "aggregator/source/local_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>

#include "aggregator/store/store.h"
#include "proto/batch.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

TEST(ResumeOffset, IsWhereNothingIsMissingBefore) {
  EXPECT_EQ(resume_offset(Coverage{}), std::nullopt);
  Coverage coverage;
  coverage.add({0, 100}, 0);
  EXPECT_EQ(resume_offset(coverage), 100U);
  coverage.add({150, 200}, 0);
  EXPECT_EQ(resume_offset(coverage), 100U);  // the gap is read again
  coverage.add({100, 150}, 0);
  EXPECT_EQ(resume_offset(coverage), 200U);
}

class LocalSourceTest : public ::testing::Test {
 protected:
  LocalSourceTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "weir_source.XXXXXX").string();
    directory_ = mkdtemp(pattern.data());
  }
  ~LocalSourceTest() override { std::filesystem::remove_all(directory_); }

  void log(int lines) {
    std::ofstream file(directory_ / "access.log", std::ios::app);
    for (int i = 0; i < lines; ++i) {
      file << R"(192.0.2.1 - - [23/Nov/2026:10:00:00 +0000] "GET /)" << next_line_++
           << R"( HTTP/1.1" 200 612 "-" "curl")" << '\n';
    }
  }

  std::unique_ptr<LocalSource> start() {
    AgentConfig config;
    config.id = "local";
    InputConfig input;
    input.name = "local";
    input.paths = {(directory_ / "*.log").string()};
    config.inputs = {input};
    config.ship.flush_interval = 20ms;
    config.metrics_listen.clear();
    auto source =
        LocalSource::create(config, [this] { return open_sqlite((directory_ / "weir.db").string()); });
    EXPECT_TRUE(source.has_value()) << (source ? "" : source.error().what);
    return std::move(*source);
  }

  // Applies arriving messages to the store, as the engine does, until batches with `lines` lines have
  // arrived.
  void settle(LocalSource& source, Store& store, std::uint64_t lines) {
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (lines_ < lines) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline) << lines_ << " lines; " << source.status();
      std::vector<SourceEvent> events;
      const auto polled = source.poll(50ms, 16, events);
      ASSERT_TRUE(polled.has_value()) << polled.error().what;
      for (auto& event : events) handle(source, store, event);
    }
  }

  void handle(LocalSource& source, Store& store, const SourceEvent& event) {
    if (const auto* assigned = std::get_if<Assigned>(&event)) {
      auto state = store.acquire(assigned->partitions.at(0), "test");
      ASSERT_TRUE(state.has_value()) << state.error().what;
      state_ = *state;
      ASSERT_TRUE(source.start_at(assigned->partitions.at(0), state->next_offset).has_value());
      return;
    }
    const auto& message = std::get<SourceMessage>(event);
    EXPECT_EQ(message.offset, std::max<std::int64_t>(0, state_.next_offset));
    const auto batch = decode_batch(message.payload);
    ASSERT_TRUE(batch.has_value()) << batch.error().what;
    Commit commit;
    commit.partition = message.partition;
    commit.epoch = state_.epoch;
    commit.expected_next_offset = state_.next_offset;
    commit.next_offset = message.offset + 1;
    if (batch->header.kind == BatchKind::kRecords) {
      coverage_.add(batch->header.range, batch->header.origin);
      lines_ += batch->columns.line_bytes.size();
      SourceState source_state;
      source_state.id = batch->header.source;
      source_state.version = versions_[source_state.id]++;
      source_state.coverage = coverage_;
      source_state.path = batch->header.path;
      commit.sources.push_back(source_state);
    }
    const auto committed = store.commit(commit);
    ASSERT_TRUE(committed.has_value()) << committed.error().what;
    state_.next_offset = commit.next_offset;
    source.committed(message.partition, commit.next_offset);
  }

  std::unique_ptr<Store> open() {
    auto store = open_sqlite((directory_ / "weir.db").string());
    EXPECT_TRUE(store.has_value()) << (store ? "" : store.error().what);
    EXPECT_TRUE((*store)->migrate().has_value());
    return std::move(*store);
  }

  std::filesystem::path directory_;
  int next_line_ = 0;
  PartitionState state_;
  Coverage coverage_;
  std::map<SourceId, std::uint64_t> versions_;
  std::uint64_t lines_ = 0;
};

TEST_F(LocalSourceTest, ReadsALogAndFollowsIt) {
  log(100);
  const auto store = open();
  const auto source = start();
  settle(*source, *store, 100);
  log(50);
  settle(*source, *store, 150);
  EXPECT_EQ(lines_, 150U);
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (!source->agent_status().caught_up) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    std::vector<SourceEvent> events;
    ASSERT_TRUE(source->poll(50ms, 16, events).has_value());
    for (auto& event : events) handle(*source, *store, event);
  }
  EXPECT_EQ(source->status(), "");
}

TEST_F(LocalSourceTest, ARestartGoesOnWhereTheStoreIs) {
  log(100);
  const auto store = open();
  {
    const auto source = start();
    settle(*source, *store, 100);
  }
  log(20);
  const std::uint64_t counted = coverage_.high_water();
  const auto source = start();
  settle(*source, *store, 120);
  EXPECT_EQ(lines_, 120U);  // the first hundred were not read again
  EXPECT_GT(coverage_.high_water(), counted);
  EXPECT_TRUE(coverage_.gaps().empty());
}

TEST_F(LocalSourceTest, WhatWasNotCommittedComesAgain) {
  log(100);
  const auto store = open();
  {
    const auto source = start();
    std::vector<SourceEvent> events;
    ASSERT_TRUE(source->poll(50ms, 16, events).has_value());
    ASSERT_EQ(events.size(), 1U);
    handle(*source, *store, events[0]);
    events.clear();
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    while (events.empty()) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      ASSERT_TRUE(source->poll(50ms, 16, events).has_value());
    }
  }
  const auto source = start();
  settle(*source, *store, 100);
  EXPECT_EQ(lines_, 100U);
}

TEST_F(LocalSourceTest, AStoreThatAnotherProcessTookIsAnError) {
  const auto store = open();
  const auto source = start();
  ASSERT_TRUE(source->start_at({"local", 0}, -1).has_value());
  const auto again = source->start_at({"local", 0}, 5);
  ASSERT_FALSE(again.has_value());
  EXPECT_EQ(again.error().code, Code::kFenced);
}

}  // namespace
}  // namespace weir
