// Every check of docs/reference/wire.md, each on a message that is good but for one thing; and that
// the words of proto/weir.proto are those of the program.
#include "proto/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <zstd.h>

#include <fstream>
#include <functional>
#include <protozero/pbf_writer.hpp>
#include <regex>
#include <sstream>

#include "proto/batch.h"

namespace weir {
namespace {

using protozero::pbf_writer;
using ::testing::HasSubstr;

std::string compressed(std::string_view plain) {
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), 1));
  return out;
}

std::string text_column(std::uint32_t field, const std::vector<std::uint32_t>& index) {
  std::string out;
  pbf_writer column(out);
  column.add_uint32(1, field);
  column.add_packed_uint32(2, index.begin(), index.end());
  return out;
}

std::string number_column(std::uint32_t field, const std::vector<std::uint64_t>& value) {
  std::string out;
  pbf_writer column(out);
  column.add_uint32(1, field);
  column.add_packed_uint64(2, value.begin(), value.end());
  return out;
}

std::string extra_column(std::string_view name, const std::vector<std::uint32_t>& index) {
  std::string out;
  pbf_writer column(out);
  column.add_bytes(1, name.data(), name.size());
  column.add_packed_uint32(2, index.begin(), index.end());
  return out;
}

std::string unparsed_line(std::uint32_t line, std::int32_t reason, std::string_view text) {
  std::string out;
  pbf_writer bad(out);
  bad.add_uint32(1, line);
  bad.add_enum(2, reason);
  bad.add_bytes(3, text.data(), text.size());
  return out;
}

// A batch by hand: two records, an unparsed line between them and a filtered one behind.
struct Raw {
  std::uint32_t version = 1;
  std::int32_t kind = 0;
  std::string source = std::string(16, 's');
  std::uint64_t begin = 100, end = 140, origin = 0;
  std::string agent_id = "web1";
  std::size_t fields = 1;
  std::int64_t sent_ms = 1, watermark_ms = 1;
  std::uint32_t lines = 4;

  std::vector<std::uint32_t> string_bytes = {1, 3};
  std::string strings = "/GET";
  std::string ipv4 = "\x0a\x01\x02\x03";
  std::string ipv6 = std::string(15, '\0') + "\1";
  std::vector<std::uint32_t> line_bytes = {10, 10, 10, 10};
  std::vector<std::uint32_t> record_gap = {0, 1};
  std::vector<std::int64_t> time_delta_ms = {1000, -1};
  std::vector<std::string> text = {text_column(0, {3, 4}), text_column(4, {1, 0})};
  std::vector<std::string> number = {number_column(0, {201, 0})};
  std::vector<std::string> extra = {extra_column("geo", {0, 2})};
  std::vector<std::string> unparsed = {unparsed_line(1, 0, "rubbish")};
  std::uint32_t filtered = 1;

  std::function<void(pbf_writer&)> more_columns = [](pbf_writer&) {};
  std::function<void(pbf_writer&)> more_header = [](pbf_writer&) {};
  std::function<void(std::string& frame)> spoil_frame = [](std::string&) {};
  std::int64_t columns_bytes_off_by = 0;

  [[nodiscard]] std::string columns() const {
    std::string out;
    pbf_writer to(out);
    to.add_packed_uint32(wire::kStringBytesField, string_bytes.begin(), string_bytes.end());
    to.add_bytes(wire::kStringsField, strings);
    to.add_bytes(wire::kIpv4Field, ipv4);
    to.add_bytes(wire::kIpv6Field, ipv6);
    to.add_packed_uint32(wire::kLineBytesField, line_bytes.begin(), line_bytes.end());
    if (!record_gap.empty())
      to.add_packed_uint32(wire::kRecordGapField, record_gap.begin(), record_gap.end());
    to.add_packed_sint64(wire::kTimeDeltaField, time_delta_ms.begin(), time_delta_ms.end());
    for (const auto& part : text) to.add_message(wire::kTextField, part);
    for (const auto& part : number) to.add_message(wire::kNumberField, part);
    for (const auto& part : extra) to.add_message(wire::kExtraField, part);
    for (const auto& part : unparsed) to.add_message(wire::kUnparsedField, part);
    to.add_uint32(wire::kFilteredField, filtered);
    more_columns(to);
    return out;
  }

  [[nodiscard]] std::string message() const {
    std::string out;
    pbf_writer to(out);
    to.add_fixed32(wire::kMagicField, wire::kMagic);
    to.add_uint32(wire::kVersionField, version);
    to.add_enum(wire::kKindField, kind);
    to.add_bytes(wire::kSourceField, source);
    to.add_uint64(wire::kBeginField, begin);
    to.add_uint64(wire::kEndField, end);
    to.add_uint64(wire::kOriginField, origin);
    to.add_bytes(wire::kAgentIdField, agent_id);
    for (std::size_t i = 0; i < fields; ++i) {
      pbf_writer field(to, wire::kFieldsField);
      field.add_bytes(1, "dc");
    }
    to.add_sint64(wire::kSentField, sent_ms);
    to.add_sint64(wire::kWatermarkField, watermark_ms);
    const auto plain = columns();
    auto frame = compressed(plain);
    spoil_frame(frame);
    to.add_uint32(wire::kLinesField, lines);
    to.add_uint64(wire::kColumnsBytesField,
                  static_cast<std::uint64_t>(static_cast<std::int64_t>(plain.size()) + columns_bytes_off_by));
    to.add_bytes(wire::kColumnsField, frame);
    more_header(to);
    return out;
  }
};

TEST(Wire, ABatchMadeByHandIsRead) {
  const auto message = Raw().message();  // views of the batch are into its own memory
  const auto batch = decode_batch(message);
  ASSERT_TRUE(batch.has_value()) << batch.error().what;
  Record record;
  std::vector<std::string_view> extra;
  batch->record(0, record, extra);
  EXPECT_EQ(record.get(Text::kClientAddress), "10.1.2.3");
  EXPECT_EQ(record.get(Text::kPath), "/");
  EXPECT_EQ(record.get(Number::kStatus), 200U);
  EXPECT_EQ(record.time_ms, 1000);
  batch->record(1, record, extra);
  EXPECT_EQ(record.get(Text::kClientAddress), "::1");
  EXPECT_EQ(record.get(Text::kPath).data(), nullptr);
  EXPECT_FALSE(record.has(Number::kStatus));
  EXPECT_EQ(extra[0], "GET");
  EXPECT_EQ(record.time_ms, 999);
}

struct Case {
  const char* name;
  std::function<void(Raw&)> spoil;
  const char* why;
};

const std::string kLongText((64 << 10) + 1, 'x');

const std::vector<Case> kRefused = {
    {"version", [](Raw& raw) { raw.version = 2; }, "version 2"},
    {"no version", [](Raw& raw) { raw.version = 0; }, "version 0"},
    {"kind", [](Raw& raw) { raw.kind = 1000; }, "a kind that this reader does not know"},
    {"negative kind", [](Raw& raw) { raw.kind = -1; }, "a kind that this reader does not know"},
    {"short source", [](Raw& raw) { raw.source.pop_back(); }, "does not have 16 bytes"},
    {"zero source", [](Raw& raw) { raw.source.assign(16, '\0'); }, "no source id"},
    {"zero source of a loss",
     [](Raw& raw) {
       raw.kind = 2;
       raw.source.assign(16, '\0');
     },
     "no source id"},
    {"short source of a heartbeat",
     [](Raw& raw) {
       raw.kind = 1;
       raw.source.pop_back();
     },
     "does not have 16 bytes"},
    {"backwards",
     [](Raw& raw) {
       raw.begin = 10;
       raw.end = 9;
     },
     "its range"},
    {"far range", [](Raw& raw) { raw.end = 1ULL << 62; }, "its range"},
    {"far range of a loss",
     [](Raw& raw) {
       raw.kind = 2;
       raw.end = 1ULL << 62;
     },
     "its range"},
    {"far origin", [](Raw& raw) { raw.origin = 1ULL << 62; }, "its range"},
    {"long agent id", [](Raw& raw) { raw.agent_id = kLongText; }, "longer than 64 KiB"},
    {"long name of a field",
     [](Raw& raw) {
       raw.more_header = [](pbf_writer& to) {
         pbf_writer field(to, wire::kFieldsField);
         field.add_bytes(1, kLongText);
       };
     },
     "longer than 64 KiB"},
    {"many fields", [](Raw& raw) { raw.fields = 257; }, "too many fields"},
    {"sent late", [](Raw& raw) { raw.sent_ms = (1LL << 53) + 1; }, "a time out of range"},
    {"watermark of a heartbeat",
     [](Raw& raw) {
       raw.kind = 1;
       raw.watermark_ms = -(1LL << 53) - 1;
     },
     "a time out of range"},
    {"more lines", [](Raw& raw) { raw.lines = 5; }, "line_bytes does not have one entry per line"},
    {"fewer lines", [](Raw& raw) { raw.lines = 3; }, "line_bytes does not have one entry per line"},
    {"a million lines", [](Raw& raw) { raw.lines = (1U << 20) + 1; }, "too many lines"},
    {"says to be longer", [](Raw& raw) { raw.columns_bytes_off_by = 1; }, "the size of its columns"},
    {"says to be shorter", [](Raw& raw) { raw.columns_bytes_off_by = -1; }, "the size of its columns"},
    {"says to be huge", [](Raw& raw) { raw.columns_bytes_off_by = 32 << 20; }, "larger than the limit"},
    {"cut frame", [](Raw& raw) { raw.spoil_frame = [](std::string& frame) { frame.pop_back(); }; },
     "not one whole zstd frame"},
    {"a frame behind it",
     [](Raw& raw) { raw.spoil_frame = [](std::string& frame) { frame += compressed(""); }; },
     "not one whole zstd frame"},
    {"bytes behind it", [](Raw& raw) { raw.spoil_frame = [](std::string& frame) { frame += "rest"; }; },
     "not one whole zstd frame"},
    {"no frame", [](Raw& raw) { raw.spoil_frame = [](std::string& frame) { frame.clear(); }; },
     "no zstd frame"},
    {"a frame of an old format",
     [](Raw& raw) { raw.spoil_frame = [](std::string& frame) { frame[0] = '\x27'; }; }, "no zstd frame"},
    {"a line of no bytes", [](Raw& raw) { raw.line_bytes = {0, 20, 10, 10}; }, "a line of zero bytes"},
    {"lines longer than the range", [](Raw& raw) { raw.line_bytes[3] = 11; }, "not as long as its range"},
    {"a cut string", [](Raw& raw) { raw.string_bytes[1] = 4; }, "a string is cut off"},
    {"bytes behind the strings", [](Raw& raw) { raw.strings += 'x'; }, "bytes behind its last string"},
    {"a cut IPv4 address", [](Raw& raw) { raw.ipv4.pop_back(); }, "an address is cut off"},
    {"a cut IPv6 address", [](Raw& raw) { raw.ipv6.pop_back(); }, "an address is cut off"},
    {"many strings", [](Raw& raw) { raw.string_bytes.resize(1U << 20, 0); }, "too many strings"},
    {"many addresses", [](Raw& raw) { raw.ipv4.assign(4ULL << 20, 'a'); }, "too many strings"},
    {"a section twice",
     [](Raw& raw) { raw.more_columns = [](pbf_writer& to) { to.add_bytes(wire::kStringsField, "/GET"); }; },
     "a section twice"},
    {"a column in two pieces",
     [](Raw& raw) {
       const std::vector<std::uint32_t> index = {0};
       auto part = text_column(2, {0});
       pbf_writer(part).add_packed_uint32(2, index.begin(), index.end());
       raw.text.push_back(part);
     },
     "a section twice"},
    {"a wrong wire type",
     [](Raw& raw) { raw.more_columns = [](pbf_writer& to) { to.add_bytes(wire::kFilteredField, "1"); }; },
     "wrong wire type"},
    {"many text columns", [](Raw& raw) { raw.text.resize(1025, text_column(1000, {0, 0})); },
     "too many columns"},
    {"many number columns", [](Raw& raw) { raw.number.resize(1025, number_column(1000, {0, 0})); },
     "too many columns"},
    {"many extra columns", [](Raw& raw) { raw.extra.resize(257, extra_column("x", {0, 0})); },
     "too many extra columns"},
    {"a long name of an extra column", [](Raw& raw) { raw.extra = {extra_column(kLongText, {0, 0})}; },
     "longer than 64 KiB"},
    {"a text column twice", [](Raw& raw) { raw.text.push_back(raw.text[0]); }, "a column twice"},
    {"a number column twice", [](Raw& raw) { raw.number.push_back(raw.number[0]); }, "a column twice"},
    {"a short text column", [](Raw& raw) { raw.text[0] = text_column(0, {0}); }, "one entry per record"},
    {"a long text column", [](Raw& raw) { raw.text[0] = text_column(0, {0, 0, 0}); }, "one entry per record"},
    {"a short number column", [](Raw& raw) { raw.number[0] = number_column(0, {1}); },
     "one entry per record"},
    {"a short extra column", [](Raw& raw) { raw.extra[0] = extra_column("x", {1}); }, "one entry per record"},
    {"an index beyond the table", [](Raw& raw) { raw.text[0] = text_column(0, {0, 5}); },
     "an index beyond the string table"},
    {"an extra index beyond the table", [](Raw& raw) { raw.extra[0] = extra_column("x", {0, 5}); },
     "an index beyond the string table"},
    {"a short record_gap", [](Raw& raw) { raw.record_gap.pop_back(); }, "record_gap"},
    {"a record beyond the lines", [](Raw& raw) { raw.record_gap[1] = 3; }, "a record beyond its lines"},
    {"fewer records than lines", [](Raw& raw) { raw.filtered = 0; }, "do not add up"},
    {"more unparsed lines than lines", [](Raw& raw) { raw.unparsed.resize(5, raw.unparsed[0]); },
     "more unparsed lines than lines"},
    {"an unparsed line that is a record", [](Raw& raw) { raw.unparsed[0] = unparsed_line(0, 0, ""); },
     "a line both parsed and unparsed"},
    {"an unparsed line beyond the lines", [](Raw& raw) { raw.unparsed[0] = unparsed_line(4, 0, ""); },
     "unparsed lines out of order"},
    {"unparsed lines that do not ascend",
     [](Raw& raw) {
       raw.filtered = 0;
       raw.unparsed = {unparsed_line(3, 0, ""), unparsed_line(1, 0, "")};
     },
     "unparsed lines out of order"},
    {"a long sample", [](Raw& raw) { raw.unparsed[0] = unparsed_line(1, 0, std::string(513, 'x')); },
     "an unparsed sample is too long"},
    {"a time out of range", [](Raw& raw) { raw.time_delta_ms = {1LL << 53, 1}; }, "a time out of range"},
    {"a time that overflows",
     [](Raw& raw) { raw.time_delta_ms = {-1, std::numeric_limits<std::int64_t>::min()}; },
     "a time out of range"},
};

TEST(Wire, EachCheckRefusesWhatItIsFor) {
  for (const auto& [name, spoil, why] : kRefused) {
    SCOPED_TRACE(name);
    Raw raw;
    spoil(raw);
    const auto batch = decode_batch(raw.message());
    ASSERT_FALSE(batch.has_value());
    EXPECT_THAT(batch.error().what, HasSubstr(why));
  }
}

const std::vector<Case> kTaken = {
    {"unknown fields everywhere",
     [](Raw& raw) {
       raw.more_header = [](pbf_writer& to) {
         to.add_bytes(1000, "new");
         to.add_fixed32(1001, 1);
         to.add_fixed64(1002, 1);
         to.add_uint64(1003, 1);
       };
       raw.more_columns = [](pbf_writer& to) { to.add_bytes(1000, "new"); };
       for (auto* parts : {&raw.text, &raw.number, &raw.extra, &raw.unparsed})
         pbf_writer(parts->front()).add_bytes(1000, "new");
     },
     ""},
    {"columns of unknown fields",
     [](Raw& raw) {
       raw.text.push_back(text_column(22, {9, 9, 9}));
       raw.number.push_back(number_column(4000, {}));
     },
     ""},
    {"the longest texts and most fields",
     [](Raw& raw) {
       raw.agent_id = kLongText.substr(1);
       raw.fields = 256;
       raw.unparsed[0] = unparsed_line(1, 9, std::string(512, 'x'));
     },
     ""},
    {"the most columns",
     [](Raw& raw) {
       raw.text.resize(1024, text_column(1000, {0, 0}));
       raw.number.resize(1024, number_column(1000, {0, 0}));
       raw.extra.resize(256, extra_column("x", {0, 0}));
     },
     ""},
    {"the most strings",
     [](Raw& raw) { raw.string_bytes.resize((1U << 20) - 3, 0); },  // with "absent" and two addresses
     ""},
    {"the last of times", [](Raw& raw) { raw.time_delta_ms = {1LL << 53, 0}; }, ""},
    {"a heartbeat without a source",
     [](Raw& raw) {
       raw.kind = 1;
       raw.source.assign(16, '\0');
     },
     ""},
};

TEST(Wire, WhatIsJustInsideTheLimitsIsRead) {
  for (const auto& [name, spoil, why] : kTaken) {
    SCOPED_TRACE(name);
    Raw raw;
    spoil(raw);
    const auto batch = decode_batch(raw.message());
    ASSERT_TRUE(batch.has_value()) << batch.error().what;
    EXPECT_EQ(batch->columns.records(), raw.kind == 0 ? 2U : 0U);
  }
}

TEST(Wire, ALossCauseOfANewerAgentIsOneThatNobodyKnows) {
  Raw raw;
  raw.kind = 2;
  for (const std::int32_t cause : {1, 6, 63, 64, 1000, -1}) {
    raw.more_header = [&](pbf_writer& to) { to.add_enum(wire::kLossCauseField, cause); };
    const auto batch = decode_batch(raw.message());
    ASSERT_TRUE(batch.has_value()) << batch.error().what;
    EXPECT_EQ(batch->header.loss_cause, cause == 1 ? LossCause::kReleased : LossCause::kNotReceived) << cause;
  }
}

TEST(Wire, ASmallMessageDoesNotExpandToGigabytes) {
  // A million lines, each a record: 256 columns of zeros compress to almost nothing.
  constexpr std::uint32_t kLines = 1U << 20;
  Raw raw;
  raw.begin = 0;
  raw.end = raw.lines = kLines;
  raw.line_bytes.assign(kLines, 1);
  raw.time_delta_ms.assign(kLines, 0);
  raw.record_gap = {};
  raw.text = raw.number = raw.unparsed = {};
  raw.filtered = 0;
  raw.extra.assign(28, extra_column("x", std::vector<std::uint32_t>(kLines, 0)));
  const auto message = raw.message();
  EXPECT_LT(message.size(), 100'000U);
  const auto batch = decode_batch(message);
  ASSERT_FALSE(batch.has_value());
  EXPECT_THAT(batch.error().what, HasSubstr("expand beyond the limit"));
}

std::string proto_text() {
  std::ifstream file(WEIR_SOURCE_DIR "/proto/weir.proto");
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// NUMBER -> the first word of its comment, of one enum.
std::vector<std::string> first_words(const std::string& text, const std::string& name) {
  const auto begin = text.find("enum " + name + " {");
  const auto body = text.substr(begin, text.find("\n}", begin) - begin);
  const std::regex value("\n  ([A-Z_]+) = ([0-9]+); *// ([a-z0-9_.]+)");
  std::vector<std::string> out;
  for (std::sregex_iterator it(body.begin(), body.end(), value), end; it != end; ++it) {
    EXPECT_EQ((*it)[2], std::to_string(out.size())) << (*it)[1];
    out.push_back((*it)[3]);
  }
  return out;
}

TEST(Wire, TheProtoFileNamesEachFieldAsTheProgramPrintsIt) {
  const auto texts = first_words(proto_text(), "TextField");
  ASSERT_EQ(texts.size(), kTextCount);
  for (std::size_t i = 0; i < kTextCount; ++i) EXPECT_EQ(texts[i], ecs_name(static_cast<Text>(i)));
  const auto numbers = first_words(proto_text(), "NumberField");
  ASSERT_EQ(numbers.size(), kNumberCount);
  for (std::size_t i = 0; i < kNumberCount; ++i) EXPECT_EQ(numbers[i], ecs_name(static_cast<Number>(i)));
}

TEST(Wire, TheProtoFileGivesEachReasonInTheWordsOfTheProgram) {
  const auto text = proto_text();
  for (const auto reason : {Unparsed::kNoMatch, Unparsed::kBadTime, Unparsed::kTooLong, Unparsed::kBinary})
    EXPECT_THAT(text, HasSubstr(" = " + std::to_string(static_cast<int>(reason)) + ";"));
  const auto begin = text.find("enum Reason {");
  const auto body = text.substr(begin, text.find("\n}", begin) - begin);
  for (const auto reason : {Unparsed::kNoMatch, Unparsed::kBadTime, Unparsed::kTooLong, Unparsed::kBinary})
    EXPECT_THAT(body, HasSubstr("// " + std::string(to_string(reason))));
}

}  // namespace
}  // namespace weir
