// `report traffic` from a real store: numbers, formats, mistakes, and hostile names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "aggregator/report_command.h"
#include "aggregator/store/store.h"
#include "common/exit_codes.h"
#include "tests/unit/temp_folder.h"

namespace weir {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing::TempFolder;

constexpr std::int64_t kDay = 86400;
constexpr std::int64_t kNow = 20 * kDay;

class Report : public ::testing::Test {
 protected:
  void SetUp() override {
    store_ = std::move(*open_sqlite(folder_ / "weir.db"));
    ASSERT_TRUE(store_->migrate().has_value());
    WindowDelta windows;
    add(windows, 10 * kDay, "a.example", 200, 3);
    add(windows, 10 * kDay + 60, "a.example", 404, 1);
    add(windows, 19 * kDay, "b,\"quoted\"\x1b[2J", 200, 5);
    Commit commit;
    commit.partition = {"access", 0};
    commit.epoch = store_->acquire(commit.partition, "test")->epoch;
    commit.next_offset = 1;
    commit.windows = windows;
    ASSERT_TRUE(store_->commit(commit).has_value());
  }
  static void add(WindowDelta& windows, std::int64_t start_s, const std::string& site, std::uint16_t status,
                  std::uint64_t requests) {
    auto& sum = windows[{start_s, site, "web1", status}];
    sum.requests = requests;
    sum.bytes_sent = sum.flow_bytes = requests * 1000;
    sum.request_bytes = requests * 10;
    sum.request_time_ms = requests * 250;
    for (std::uint64_t i = 0; i < requests; ++i) sum.latency.add(250);
  }
  // The report's text; `code_` is its exit code.
  std::string run(const ReportOptions& options) {
    std::FILE* out = std::tmpfile();
    code_ = report_traffic(*store_, options, kNow, out);
    std::string text(1 << 16, '\0');
    std::rewind(out);
    text.resize(std::fread(text.data(), 1, text.size(), out));
    std::fclose(out);
    return text;
  }

  TempFolder folder_;
  std::unique_ptr<Store> store_;
  int code_ = -1;
};

TEST_F(Report, CsvHasAHeaderAndTheColumnsInOrder) {
  ReportOptions options;
  options.format = "csv";
  options.by = {"site", "status"};
  options.step = "1m";
  const auto text = run(options);
  EXPECT_EQ(code_, kExitOk);
  const auto header = text.substr(0, text.find('\n'));
  EXPECT_THAT(header, ::testing::MatchesRegex(
                          "(time|start),site,status,requests,bytes_sent,.*request_time_seconds.*"));
  EXPECT_THAT(text, HasSubstr("1970-01-11T00:00:00Z,a.example,200,3,3000,"));
  EXPECT_THAT(text, HasSubstr("1970-01-11T00:01:00Z,a.example,404,1,1000,"));
  EXPECT_THAT(text, HasSubstr("\"b,\"\"quoted\"\"")) << "RFC 4180";
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST_F(Report, StepsAddUp) {
  ReportOptions options;
  options.format = "csv";
  options.step = "1d";
  const auto days = run(options);
  EXPECT_THAT(days, HasSubstr("1970-01-11T00:00:00Z,4,4000,"));
  EXPECT_THAT(days, HasSubstr("1970-01-20T00:00:00Z,5,5000,"));
  options.step = "all";
  EXPECT_THAT(run(options), HasSubstr("9,9000,"));
}

TEST_F(Report, RangesAreHalfOpenAndMayBeRelative) {
  ReportOptions options;
  options.format = "csv";
  options.from = "1970-01-11";
  options.to = "1970-01-11T00:01:00Z";
  EXPECT_THAT(run(options), HasSubstr("3,3000,"));
  options.from = "-24h";
  options.to = "";
  EXPECT_THAT(run(options), HasSubstr("5,5000,"));
}

TEST_F(Report, AStepThatIsNoMultipleOfTheWindowIsAUsageError) {
  ReportOptions options;
  options.format = "csv";
  options.step = "90s";
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(run(options), "");
  EXPECT_THAT(::testing::internal::GetCapturedStderr(),
              HasSubstr("--step: \"90s\" is not a multiple of the window of 60 s"));
  EXPECT_EQ(code_, kExitUsage);
  options.step = "1m";
  options.window_s = 300;
  EXPECT_EQ(run(options), "");
  EXPECT_EQ(code_, kExitUsage) << "the configured window decides";
}

TEST_F(Report, ShorterWindowsAreRecognizedInTheStore) {
  Commit commit;
  commit.partition = {"access", 1};
  commit.epoch = store_->acquire(commit.partition, "test")->epoch;
  commit.next_offset = 1;
  add(commit.windows, 19 * kDay + 10, "a.example", 200, 1);
  ASSERT_TRUE(store_->commit(commit).has_value());
  ReportOptions options;
  options.step = "10s";
  run(options);
  EXPECT_EQ(code_, kExitOk);
}

TEST_F(Report, BytesAreDecimalAsOnThePage) {
  ReportOptions options;
  EXPECT_THAT(run(options), HasSubstr("9.0 kB"));
}

TEST_F(Report, JsonIsJsonWhateverTheNames) {
  ReportOptions options;
  options.format = "json";
  options.by = {"site"};
  const auto text = run(options);
  const auto json = nlohmann::json::parse(text, nullptr, false);
  EXPECT_FALSE(json.is_discarded()) << text;
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
}

TEST_F(Report, TheTableMovesNoCursor) {
  ReportOptions options;
  options.by = {"site", "host", "status"};
  const auto text = run(options);
  EXPECT_THAT(text, HasSubstr("a.example"));
  EXPECT_THAT(text, Not(HasSubstr("\x1b")));
  EXPECT_THAT(summary_table(*store_).value(), Not(HasSubstr("\x1b")));
}

TEST_F(Report, ALatencyThatIsNotKnownIsNotZero) {
  Commit commit;
  commit.partition = {"access", 1};
  commit.epoch = store_->acquire(commit.partition, "test")->epoch;
  commit.next_offset = 1;
  commit.windows[{10 * kDay, "untimed.example", "web1", 200}].requests = 7;
  ASSERT_TRUE(store_->commit(commit).has_value());
  ReportOptions options;
  options.by = {"site"};
  options.site = "untimed.example";
  options.format = "csv";
  EXPECT_THAT(run(options), HasSubstr("untimed.example,7,0,0,0,0.000,0.000,,,\n"));
  options.format = "json";
  EXPECT_TRUE(nlohmann::json::parse(run(options)).at(0).at("p99_ms").is_null());
  options.format = "table";
  EXPECT_THAT(run(options), ::testing::ContainsRegex("untimed.example +7 +0 B +- +- +-\n"));
}

TEST_F(Report, TheSummarySaysWhatItLeavesOut) {
  EXPECT_THAT(summary_table(*store_).value(), Not(HasSubstr("could not be read")));
  Commit commit;
  commit.partition = {"access", 1};
  commit.epoch = store_->acquire(commit.partition, "test")->epoch;
  commit.next_offset = 1;
  commit.dead_letters = {{commit.partition, 0, 3, DeadLetterKind::kUnreadable, "",
                          "the line does not fit the format", "garb\x1b[2J", 0}};
  commit.dead_letter_count = 1200;
  ASSERT_TRUE(store_->commit(commit).has_value());
  const auto summary = summary_table(*store_).value();
  EXPECT_THAT(
      summary,
      HasSubstr("1,200 lines could not be read; the newest (the line does not fit the format): garb"));
  EXPECT_THAT(summary, Not(HasSubstr("\x1b")));
}

TEST_F(Report, MistakesInTheOptionsAreUsageErrors) {
  for (const auto& set : std::vector<void (*)(ReportOptions&)>{
           [](ReportOptions& o) { o.step = "2x"; }, [](ReportOptions& o) { o.format = "xml"; },
           [](ReportOptions& o) { o.by = {"sites"}; }, [](ReportOptions& o) { o.from = "yesterday"; },
           [](ReportOptions& o) { o.to = "2026-13-01"; }}) {
    ReportOptions options;
    set(options);
    EXPECT_EQ(run(options), "");
    EXPECT_EQ(code_, kExitUsage);
  }
}

}  // namespace
}  // namespace weir
