// Every check of docs/reference/wire.md, each on a message that is valid except for one thing; and that the
// words of proto/weir.proto are those of the program.
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
#include "proto/planes.h"

namespace weir {
namespace {

using protozero::pbf_writer;
using ::testing::HasSubstr;

std::string compressed(std::string_view plain) {
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), 1));
  return out;
}

std::string planes(const std::vector<std::uint64_t>& numbers) {
  const std::span<const std::uint64_t> all(numbers);
  const auto count = numbers.empty() ? 0 : planes_of(all);
  std::string out(numbers.size() * count, '\0');
  write_planes(out.data(), all, count);
  return out;
}

struct Strings {
  std::vector<std::uint64_t> code;
  std::string bytes;
};
const Strings kNone;

std::string text_column(std::uint32_t field, const std::vector<std::uint64_t>& cell,
                        const Strings& strings = kNone, std::string_view name = {}) {
  std::string out;
  pbf_writer column(out);
  if (name.empty()) column.add_uint32(wire::kTextFieldField, field);
  if (!name.empty()) column.add_bytes(wire::kTextNameField, name.data(), name.size());
  column.add_bytes(wire::kTextCellField, planes(cell));
  column.add_uint32(wire::kTextStringsField, static_cast<std::uint32_t>(strings.code.size()));
  column.add_bytes(wire::kTextStringCodeField, planes(strings.code));
  column.add_bytes(wire::kTextStringBytesField, strings.bytes);
  return out;
}

std::string same_column(std::uint32_t field, std::uint32_t as) {
  std::string out;
  pbf_writer column(out);
  column.add_uint32(wire::kTextFieldField, field);
  column.add_uint32(wire::kTextSameAsField, as);
  return out;
}

std::string number_column(std::uint32_t field, const std::vector<std::uint64_t>& cell) {
  std::string out;
  pbf_writer column(out);
  column.add_uint32(wire::kNumberFieldField, field);
  column.add_bytes(wire::kNumberCellField, planes(cell));
  return out;
}

std::string near_column(std::uint32_t field, const std::vector<std::uint64_t>& cell, std::uint32_t near) {
  auto out = number_column(field, cell);
  pbf_writer(out).add_uint32(wire::kNumberNearField, near);
  return out;
}

std::string extra_column(std::string_view name, const std::vector<std::uint64_t>& cell,
                         const Strings& strings = kNone) {
  return text_column(0, cell, strings, name);
}

// An IPv4 and an IPv6 address.
const Strings kAddresses = {{0, 1}, "\x0a\x01\x02\x03" + std::string(15, '\0') + "\1"};
const Strings kSlash = {{3}, "/"};
const Strings kGet = {{5}, "GET"};

std::string unparsed_line(std::uint32_t line, std::int32_t reason, std::string_view text) {
  std::string out;
  pbf_writer bad(out);
  bad.add_uint32(1, line);
  bad.add_enum(2, reason);
  bad.add_bytes(3, text.data(), text.size());
  return out;
}

// A handmade batch: two records, an unparsed line between them and a filtered one after them.
struct Raw {
  std::uint32_t version = 2;
  std::int32_t kind = 0;
  std::string source = std::string(16, 's');
  std::uint64_t begin = 100, end = 140, origin = 0;
  std::string agent_id = "web1";
  std::size_t fields = 1;
  std::int64_t sent_ms = 1, watermark_ms = 1;
  std::uint32_t lines = 4;

  std::uint32_t records = 2;
  std::vector<std::uint64_t> line_bytes = {10, 10, 10, 10};
  std::vector<std::uint64_t> record_gap = {0, 1};
  std::int64_t first_time_ms = 1000;
  std::vector<std::uint64_t> time_delta_ms = {0, 1};  // zigzag
  std::vector<std::string> text = {text_column(0, {1, 1}, kAddresses), text_column(4, {1, 0}, kSlash)};
  std::vector<std::string> number = {number_column(0, {201, 0})};
  std::vector<std::string> extra = {extra_column("geo", {0, 1}, kGet)};
  std::vector<std::string> unparsed = {unparsed_line(1, 0, "rubbish")};
  std::uint32_t filtered = 1;

  std::function<void(pbf_writer&)> more_columns = [](pbf_writer&) {};
  std::function<void(pbf_writer&)> more_header = [](pbf_writer&) {};
  std::function<void(std::string& frame)> spoil_frame = [](std::string&) {};
  std::int64_t columns_bytes_off_by = 0;

  [[nodiscard]] std::string columns() const {
    std::string out;
    pbf_writer to(out);
    to.add_uint32(wire::kRecordsField, records);
    to.add_bytes(wire::kLineBytesField, planes(line_bytes));
    if (!record_gap.empty()) to.add_bytes(wire::kRecordGapField, planes(record_gap));
    to.add_sint64(wire::kFirstTimeField, first_time_ms);
    to.add_bytes(wire::kTimeDeltaField, planes(time_delta_ms));
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
  const auto message = Raw().message();  // the batch's views point into its own memory
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
    {"version", [](Raw& raw) { raw.version = 1; }, "version 1"},
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
    {"a cut string", [](Raw& raw) { raw.text[1] = text_column(4, {1, 0}, {{4}, "/"}); },
     "a string is cut off"},
    {"bytes behind the strings", [](Raw& raw) { raw.text[1] = text_column(4, {1, 0}, {{3}, "/x"}); },
     "bytes behind its last string"},
    {"a cut IPv4 address", [](Raw& raw) { raw.text[1] = text_column(4, {1, 0}, {{0}, "123"}); },
     "a string is cut off"},
    {"a cut IPv6 address",
     [](Raw& raw) { raw.text[1] = text_column(4, {1, 0}, {{1}, std::string(15, 'x')}); },
     "a string is cut off"},
    {"no code of a string",
     [](Raw& raw) {
       std::string column;
       pbf_writer to(column);
       to.add_uint32(wire::kTextFieldField, 4);
       to.add_bytes(wire::kTextCellField, planes({1, 0}));
       to.add_uint32(wire::kTextStringsField, 1);
       to.add_bytes(wire::kTextStringBytesField, "/");
       raw.text[1] = column;
     },
     "string_code does not have one entry per string"},
    {"a string that no record has", [](Raw& raw) { raw.text[1] = text_column(4, {1, 0}, {{3, 3}, "/x"}); },
     "a string that no record has"},
    {"more first uses than strings", [](Raw& raw) { raw.text[1] = text_column(4, {1, 1}, kSlash); },
     "a string before its first use"},
    {"a string before its first use", [](Raw& raw) { raw.text[1] = text_column(4, {2, 1}, kSlash); },
     "a string before its first use"},
    {"many strings",
     [](Raw& raw) {
       raw.text[1] = text_column(4, {1, 0}, {std::vector<std::uint64_t>((1U << 20) - 2, 2), ""});
     },
     "too many strings"},
    {"the same as a column that is not there", [](Raw& raw) { raw.text[1] = same_column(4, 7); },
     "a column that is the same as none"},
    {"the same as itself", [](Raw& raw) { raw.text[1] = same_column(4, 4); },
     "a column that is the same as none"},
    {"the same as an unknown column", [](Raw& raw) { raw.text[1] = same_column(4, 4000); },
     "a column that is the same as none"},
    {"the same as another, with cells",
     [](Raw& raw) { pbf_writer(raw.text[1]).add_uint32(wire::kTextSameAsField, 0); }, "of its own cells"},
    {"an extra column that is the same as another",
     [](Raw& raw) { pbf_writer(raw.extra[0]).add_uint32(wire::kTextSameAsField, 0); },
     "an extra column without cells"},
    {"near a column that is not there", [](Raw& raw) { raw.number[0] = near_column(0, {1, 1}, 3); },
     "near one that does not stand before it"},
    {"near itself", [](Raw& raw) { raw.number[0] = near_column(0, {1, 1}, 0); },
     "near one that does not stand before it"},
    {"near an unknown column", [](Raw& raw) { raw.number[0] = near_column(0, {1, 1}, 4000); },
     "near one that does not stand before it"},
    {"a number that wraps",
     [](Raw& raw) { raw.number.push_back(near_column(1, {0, 2}, 0)); },  // 0 - 1 is not a value
     "a number out of range"},
    {"a section twice",
     [](Raw& raw) { raw.more_columns = [](pbf_writer& to) { to.add_bytes(wire::kLineBytesField, "1"); }; },
     "a section twice"},
    {"a column in two pieces",
     [](Raw& raw) { pbf_writer(raw.text[0]).add_bytes(wire::kTextCellField, planes({0, 0})); },
     "a section twice"},
    {"a number column in two pieces",
     [](Raw& raw) { pbf_writer(raw.number[0]).add_bytes(wire::kNumberCellField, planes({0, 0})); },
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
    {"more planes than a cell may have", [](Raw& raw) { raw.text[0] = text_column(0, {1ULL << 32, 0}); },
     "one entry per record"},
    {"part of a plane", [](Raw& raw) { raw.number[0] = number_column(0, {1, 1, 1}); },
     "one entry per record"},
    {"a short record_gap", [](Raw& raw) { raw.record_gap.pop_back(); }, "record_gap"},
    {"a record beyond the lines", [](Raw& raw) { raw.record_gap[1] = 3; }, "a record beyond its lines"},
    {"more records", [](Raw& raw) { raw.records = 3; }, "do not add up"},
    {"fewer times",
     [](Raw& raw) {
       raw.time_delta_ms.pop_back();
       raw.time_delta_ms.pop_back();
     },
     "time_delta_ms"},
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
    {"a time out of range",
     [](Raw& raw) {
       raw.first_time_ms = 1LL << 53;
       raw.time_delta_ms = {0, 2};
     },
     "a time out of range"},
    {"a time that overflows",
     [](Raw& raw) {
       raw.first_time_ms = std::numeric_limits<std::int64_t>::min();
       raw.time_delta_ms = {1, 0};
     },
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
       raw.text.push_back(same_column(23, 22));
       raw.number.push_back(near_column(4000, {}, 3999));
     },
     ""},
    {"the same as another", [](Raw& raw) { raw.text.insert(raw.text.begin(), same_column(1, 0)); }, ""},
    {"more planes than it needs",
     [](Raw& raw) {
       std::string column;
       pbf_writer to(column);
       to.add_bytes(wire::kNumberCellField, std::string(16, '\0'));  // and no field number, which means 0
       raw.number[0] = column;
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
    {"the last of times",
     [](Raw& raw) {
       raw.first_time_ms = 1LL << 53;
       raw.time_delta_ms = {0, 1};
     },
     ""},
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

TEST(Wire, AsManyStringsAsThereMayBeAreRead) {
  constexpr std::uint32_t kRecords = (1U << 20) - 1;
  Raw raw;
  raw.begin = 0;
  raw.end = raw.lines = raw.records = kRecords;
  raw.line_bytes.assign(kRecords, 1);
  raw.time_delta_ms.assign(kRecords, 0);
  raw.record_gap = {};
  raw.number = raw.unparsed = raw.extra = {};
  raw.filtered = 0;
  raw.text = {text_column(4, std::vector<std::uint64_t>(kRecords, 1),
                          {std::vector<std::uint64_t>(kRecords, 3), std::string(kRecords, '/')})};
  const auto batch = decode_batch(raw.message());
  ASSERT_TRUE(batch.has_value()) << batch.error().what;
  EXPECT_EQ(batch->columns.text[4].strings.size(), kRecords + 1);
  raw.text.push_back(text_column(5, std::vector<std::uint64_t>(kRecords, 1), {{2}, ""}));
  const auto more = decode_batch(raw.message());
  ASSERT_FALSE(more.has_value());
  EXPECT_THAT(more.error().what, HasSubstr("too many strings"));
}

TEST(Wire, WhoIsToBeUpdatedIsSaid) {
  Raw raw;
  raw.version = 1;
  EXPECT_THAT(decode_batch(raw.message()).error().hint, HasSubstr("update the agent"));
  raw.version = 3;
  EXPECT_THAT(decode_batch(raw.message()).error().hint, HasSubstr("update weir-aggregator"));
}

TEST(Wire, AColumnNearAnotherIsItsDifference) {
  Raw raw;
  raw.number = {number_column(4, {101, 0}),
                near_column(5, {zigzag(static_cast<std::uint64_t>(-10)) + 1, zigzag(7) + 1}, 4)};
  const auto batch = decode_batch(raw.message());
  ASSERT_TRUE(batch.has_value()) << batch.error().what;
  EXPECT_EQ(batch->columns.number[5], (std::vector<std::uint64_t>{91, 8})) << "90 of 100, 7 of none; and one";
}

TEST(Wire, ASmallMessageDoesNotExpandToGigabytes) {
  // A million lines, each a record: 256 columns of zeros compress to almost nothing.
  constexpr std::uint32_t kLines = 1U << 20;
  Raw raw;
  raw.begin = 0;
  raw.end = raw.lines = kLines;
  raw.records = kLines;
  raw.line_bytes.assign(kLines, 1);
  raw.time_delta_ms.assign(kLines, 0);
  raw.record_gap = {};
  raw.text = raw.number = raw.unparsed = {};
  raw.filtered = 0;
  raw.extra.assign(28, extra_column("x", std::vector<std::uint64_t>(kLines, 0)));
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

// NUMBER -> the first word of its comment, for one enum.
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
