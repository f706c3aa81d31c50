#include "agent/ship/encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "agent/ship/line_batch.h"
#include "agent/ship/ship_config.h"
#include "tests/unit/follow_file.h"

namespace weir {
namespace {

using ::testing::ElementsAre;
using testing::line;

TEST(Codecs, EachHasANameAndAnEncoder) {
  for (const auto codec : {Codec::kBatch, Codec::kWindows, Codec::kJson, Codec::kRaw}) {
    EXPECT_EQ(codec_named(to_string(codec)), codec);
    EXPECT_NE(make_encoder(codec, 1), nullptr);
  }
  EXPECT_EQ(codec_named("btach"), std::nullopt);
  EXPECT_THAT(codec_names(CodecsFor::kKafka), ElementsAre("batch", "json", "raw"));
  EXPECT_THAT(codec_names(CodecsFor::kText), ElementsAre("json", "raw"));
}

// Counts its calls.
class CountingParser : public LineParser {
 public:
  [[nodiscard]] Outcome parse(std::string_view text, Record& out, Unparsed& reason) override {
    ++calls;
    return parser_->parse(text, out, reason);
  }
  [[nodiscard]] const std::vector<std::string>& extra_names() const override {
    return parser_->extra_names();
  }
  int calls = 0;

 private:
  std::unique_ptr<LineParser> parser_ = compile_format(named_format("combined").value(), {}).value();
};

TEST(LineBatch, ALineThatGoesToSeveralEncodersIsParsedOnce) {
  CountingParser parser;
  LineBatch batch(1);
  const auto text = line(1) + "no request\n\n" + line(2);
  const std::vector<Codec> all = {Codec::kBatch, Codec::kWindows, Codec::kJson, Codec::kRaw};
  batch.begin(parser, all);
  EXPECT_EQ(batch.add_lines(text, text.size(), 1 << 20), text.size());
  EXPECT_EQ(parser.calls, 4);
  EXPECT_EQ(batch.counts().lines, 4U);
  EXPECT_EQ(batch.counts().filtered, 1U);
  EXPECT_EQ(batch.counts().unparsed, 1U);
  BatchHeader header;
  header.source = make_source_id("a", "b", "c");
  header.range = {0, text.size()};
  const auto records = decode_batch(batch.finish(Codec::kBatch, header).value()).value();
  EXPECT_EQ(records.header.kind, BatchKind::kRecords);
  EXPECT_EQ(records.columns.records(), 2U);
  const auto windows = decode_batch(batch.finish(Codec::kWindows, header).value()).value();
  EXPECT_EQ(windows.header.kind, BatchKind::kWindows);
  EXPECT_EQ(windows.header.range, header.range);
  EXPECT_EQ(windows.folded.lines, 4U);
  const auto json = batch.finish(Codec::kJson, header).value();
  EXPECT_EQ(std::count(json.begin(), json.end(), '\n'), 3);
  EXPECT_EQ(batch.finish(Codec::kRaw, header).value(), line(1) + "no request\n" + line(2));
}

TEST(LineBatch, TheNextBatchHasNothingOfTheOneBefore) {
  CountingParser parser;
  LineBatch batch(1);
  batch.begin(parser, {Codec::kRaw, Codec::kJson});
  batch.add_lines(line(1), 1000, 1 << 20);
  batch.begin(parser, {Codec::kRaw});
  EXPECT_EQ(batch.content_bytes(), 0U);
  batch.add_lines(line(2), 1000, 1 << 20);
  EXPECT_EQ(batch.finish(Codec::kRaw, {}).value(), line(2));
  EXPECT_EQ(batch.counts().lines, 1U);
}

TEST(Routes, JoinEachEncoderToItsTopic) {
  OutputConfig config;
  config.kafka.topic = "access";
  EXPECT_THAT(routes_of(config), ElementsAre(RouteConfig{Codec::kBatch, "access", "topic"}));
  config.codec = Codec::kJson;
  EXPECT_THAT(routes_of(config), ElementsAre(RouteConfig{Codec::kJson, "access", "topic"}));
  config.codec = Codec::kBatch;
  config.kafka.ship = Ship::kWindows;
  EXPECT_THAT(routes_of(config), ElementsAre(RouteConfig{Codec::kWindows, "access", "topic"}));
  config.kafka.ship = Ship::kBoth;
  config.kafka.windows_topic = "sums";
  EXPECT_THAT(routes_of(config), ElementsAre(RouteConfig{Codec::kBatch, "access", "topic"},
                                             RouteConfig{Codec::kWindows, "sums", "windows_topic"}));
  config.kind = OutputKind::kFile;
  config.codec = Codec::kRaw;
  EXPECT_THAT(routes_of(config), ElementsAre(RouteConfig{Codec::kRaw, "", ""}));
}

}  // namespace
}  // namespace weir
