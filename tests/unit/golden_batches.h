// The batches of tests/data/golden, as this version makes them. README.md there explains how to write the
// files.
#pragma once

#include <zstd.h>

#include <fstream>
#include <protozero/pbf_reader.hpp>
#include <protozero/pbf_writer.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "agent/format/parser.h"
#include "proto/batch.h"
#include "proto/window.h"
#include "proto/wire.h"

namespace weir::testing {

struct GoldenBatch {
  std::string name;
  std::string message;
};

inline BatchHeader golden_header(const std::string& name) {
  BatchHeader header;
  header.source = make_source_id("web1", "/var/log/nginx/" + name + ".log", "first line");
  header.range = {1000, 1000};
  header.origin = 500;
  header.agent_id = "web1";
  header.instance = 0x0123456789abcdef;
  header.host = "web1.example";
  header.input = "web";
  header.path = "/var/log/nginx/" + name + ".log";
  header.fields = {{"dc", "ams"}, {"note", "caf\xc3\xa9 \xff"}};
  header.sent_ms = 1'795'592'800'123;
  return header;
}

// Two sites, three windows, one request that reaches back, one that did not parse, one that was too long.
inline std::string batch_of_windows() {
  LineFolder folder;
  folder.begin({}, "");
  const std::int64_t time_ms = 1'795'592'800'123;
  for (int i = 0; i < 40; ++i) {
    Record record;
    record.time_ms = time_ms + i * 4000;
    record.set(Text::kHost, i % 3 == 0 ? "Shop.example:443" : i % 3 == 1 ? "[2001:db8::1]" : "bad host");
    if (i % 7 != 0) record.set(Number::kStatus, i % 5 == 0 ? 404 : 200);
    record.set(Number::kBytesSent, static_cast<std::uint64_t>(1000 + i));
    record.set(Number::kRequestBytes, 300);
    if (i % 4 != 0) record.set(Number::kRequestTimeMs, static_cast<std::uint64_t>(i * i * 50));
    record.set(Number::kUpstreamTimeMs, static_cast<std::uint64_t>(i));
    folder.add(record);
  }
  folder.add_unparsed("caf\xc3\xa9 \xff", Unparsed::kNoMatch);
  folder.add_unparsed("long", Unparsed::kTooLong);
  folder.add_filtered();
  auto header = golden_header("windows");
  header.kind = BatchKind::kWindows;
  header.range.end += 4096;
  return encode_windows(header, folder.finish(), 1).value();
}

// The lines in a batch, as the agent makes it.
inline std::string batch_of_lines(const std::string& name, const FormatSpec& format,
                                  const std::vector<std::string>& lines, const ClientConfig& client = {}) {
  const auto parser = compile_format(format, client).value();
  BatchBuilder builder;
  builder.begin(parser->extra_names());
  Record record;
  for (const auto& line : lines) {
    Unparsed reason{};
    record.clear();
    const auto bytes = static_cast<std::uint32_t>(line.size() + 1);
    switch (parser->parse(line, record, reason)) {
      case LineParser::Outcome::kRecord:
        builder.add(record, bytes);
        break;
      case LineParser::Outcome::kUnparsed:
        builder.add_unparsed(line, reason, bytes);
        break;
      case LineParser::Outcome::kSkip:
        builder.add_filtered(bytes);
        break;
    }
  }
  auto header = golden_header(name);
  header.range.end += builder.content_bytes();
  return builder.finish(header).value();
}

// Values that no log contains but the format can hold.
inline std::string batch_of_edges() {
  BatchBuilder builder;
  builder.begin({"empty", "caf\xc3\xa9 \xff", "never"});
  const std::vector<std::string_view> texts = {"",
                                               "-",
                                               "10.0.0.1",
                                               "010.0.0.1",
                                               "::1",
                                               "::ffff:10.0.0.1",
                                               "2001:DB8::1",
                                               "\xff\xfe",
                                               "\xe4\xb8 cut",
                                               "\x1b[31mred",
                                               "\xe2\x80\xae",
                                               "\xed\xa0\x80"};
  const std::int64_t day_ms = 86'400'000;
  const std::vector<std::int64_t> times_ms = {0,
                                              -1,
                                              -719'162 * day_ms,
                                              -719'162 * day_ms - 1,
                                              253'402'300'799'999,
                                              253'402'300'800'000,
                                              1LL << 53,
                                              -(1LL << 53),
                                              1};
  Record record;
  for (std::size_t i = 0; i < 3 * texts.size(); ++i) {
    record.clear();
    record.time_ms = times_ms[i % times_ms.size()];
    for (std::size_t field = i % 2; field < kTextCount; field += 2)
      record.set(static_cast<Text>(field), texts[(i + field) % texts.size()]);
    for (std::size_t field = i % 3; field < kNumberCount; field += 3)
      record.set(static_cast<Number>(field), i % 5 == 0 ? ~0ULL - field : i * field);
    const std::vector<std::string_view> extra = {i % 4 == 0 ? "" : std::string_view(),
                                                 texts[i % texts.size()]};
    record.extra = extra;
    builder.add(record, static_cast<std::uint32_t>(i + 1));
    if (i % 3 == 0) builder.add_unparsed("unparsed \xff", static_cast<Unparsed>(i / 3 % 4), 11);
    if (i % 5 == 0) builder.add_filtered(1);
  }
  builder.add_unparsed(std::string(511, 'x') + "\xc3\xa9", Unparsed::kTooLong, ~0U);
  auto header = golden_header("edges");
  header.path = "/var/log/\x1b[31m\xff.log";
  header.range = {(1ULL << 61), (1ULL << 61) + builder.content_bytes()};
  return builder.finish(header).value();
}

namespace golden {

inline std::string decompressed(std::string_view frame) {
  std::string out(ZSTD_getFrameContentSize(frame.data(), frame.size()), '\0');
  ZSTD_decompress(out.data(), out.size(), frame.data(), frame.size());
  return out;
}

inline std::string compressed(std::string_view plain) {
  std::string out(ZSTD_compressBound(plain.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), plain.data(), plain.size(), 1));
  return out;
}

// Fields that a later version might add, one of each wire type.
inline void add_unknown_fields(protozero::pbf_writer& to) {
  to.add_uint64(1000, 7);
  to.add_fixed64(1001, 7);
  to.add_bytes(1002, "of a later version");
  to.add_fixed32(1003, 7);
}

inline void copy_field(protozero::pbf_reader& in, protozero::pbf_writer& to) {
  const auto tag = in.tag();  // reading the value clears it
  switch (in.wire_type()) {
    case protozero::pbf_wire_type::varint:
      return to.add_uint64(tag, in.get_uint64());
    case protozero::pbf_wire_type::fixed64:
      return to.add_fixed64(tag, in.get_fixed64());
    case protozero::pbf_wire_type::fixed32:
      return to.add_fixed32(tag, in.get_fixed32());
    default: {
      const auto view = in.get_view();
      to.add_bytes(tag, view.data(), view.size());
    }
  }
}

}  // namespace golden

// `message`, changed: `change` receives the decompressed columns.
template <class Change>
std::string with_columns(const std::string& message, Change change, bool unknown_fields) {
  std::string out;
  protozero::pbf_writer to(out);
  protozero::pbf_reader in(message);
  std::string columns;
  while (in.next()) {
    if (in.tag() == wire::kColumnsField) {
      const auto view = in.get_view();
      columns = change(golden::decompressed({view.data(), view.size()}));
    } else if (in.tag() == wire::kColumnsBytesField) {
      in.skip();
    } else {
      golden::copy_field(in, to);
    }
  }
  if (unknown_fields) golden::add_unknown_fields(to);
  to.add_uint64(wire::kColumnsBytesField, columns.size());
  to.add_bytes(wire::kColumnsField, golden::compressed(columns));
  return out;
}

inline std::string with_unknown_fields(const std::string& message) {
  const auto change = [](const std::string& columns) {
    std::string out;
    protozero::pbf_writer to(out);
    golden::add_unknown_fields(to);
    protozero::pbf_reader in(columns);
    while (in.next()) {
      if (in.tag() >= wire::kTextField && in.tag() <= wire::kUnparsedField) {
        const auto tag = in.tag();
        const auto view = in.get_view();
        std::string part(view.data(), view.size());
        protozero::pbf_writer inner(part);
        golden::add_unknown_fields(inner);
        to.add_message(tag, part);
      } else {
        golden::copy_field(in, to);
      }
    }
    return out;
  };
  return with_columns(message, change, true);
}

// With columns of fields that this version does not know, and an unknown reason.
inline std::string with_unknown_values(const std::string& message) {
  const auto change = [](const std::string& columns) {
    std::string out;
    protozero::pbf_writer to(out);
    protozero::pbf_reader in(columns);
    for (const std::uint32_t field : {1000U, 0x7FFFFFFFU}) {
      protozero::pbf_writer text(to, wire::kTextField);
      text.add_uint32(wire::kTextFieldField, field);
      text.add_bytes(wire::kTextCellField, "\1\2\3");
    }
    {
      protozero::pbf_writer number(to, wire::kNumberField);
      number.add_uint32(wire::kNumberFieldField, 1000);
      number.add_bytes(wire::kNumberCellField, "\1\2\3");
    }
    while (in.next()) {
      if (in.tag() == wire::kUnparsedField) {
        const auto view = in.get_view();
        std::string part(view.data(), view.size());
        protozero::pbf_writer(part).add_enum(2, 100);  // the last occurrence of a field counts
        to.add_message(wire::kUnparsedField, part);
      } else {
        golden::copy_field(in, to);
      }
    }
    return out;
  };
  return with_columns(message, change, false);
}

// With one header field changed: the last occurrence counts.
inline std::string with_header(std::string message, std::uint32_t field, std::uint32_t value) {
  protozero::pbf_writer(message).add_uint32(field, value);
  return message;
}

inline std::vector<std::string> lines_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) throw std::runtime_error(path);
  std::vector<std::string> out;
  for (std::string line; std::getline(file, line);) out.push_back(line);
  return out;
}

// Logs of a real nginx, one per format.
inline void add_logs_of_nginx(const std::string& test_data, std::vector<GoldenBatch>& out) {
  const auto folder = test_data + "/format/";
  for (const auto& line : lines_of_file(folder + "formats.txt")) {
    const auto first = line.find('\t');
    const auto second = line.find('\t', first + 1);
    const auto name = line.substr(0, first);
    const auto escape = line.substr(first + 1, second - first - 1);
    const auto text = line.substr(second + 1);
    const auto format =
        escape == "named" ? named_format(text).value() : FormatSpec{FormatSpec::Kind::kNginx, text, escape};
    out.push_back({name, batch_of_lines(name, format, lines_of_file(folder + name + ".log"))});
  }
}

inline std::vector<GoldenBatch> golden_batches(const std::string& test_data) {
  std::vector<GoldenBatch> out;
  add_logs_of_nginx(test_data, out);
  out.push_back(
      {"w3c", batch_of_lines(
                  "w3c", named_format("w3c").value(),
                  {"#Version: 1.0", "#Fields: date time c-ip cs-method cs-uri-stem sc-status sc-bytes x-edge",
                   "2026-11-25\t08:00:00\t192.0.2.1\tGET\t/a\t200\t512\tAMS1",
                   "2026-11-25\t08:00:01\t2001:db8::1\tGET\t/b\t404\t0\t-", "not of it"})});
  const FormatSpec shop{
      FormatSpec::Kind::kRegex,
      R"re((?P<time>\S+) (?P<remote_addr>\S+) "(?P<request>[^"]*)" (?P<status>\d+) (?P<shop>\S+))re", ""};
  const auto regex =
      batch_of_lines("regex", shop,
                     {R"(2026-11-25T08:00:00Z 192.0.2.1 "GET /a?b HTTP/1.1" 200 nl)",
                      R"(2026-11-25T08:00:01+01:00 10.0.0.1 "GET /a HTTP/2.0" 301 be)", "yesterday", "",
                      R"(never 10.0.0.1 "GET / HTTP/1.1" 200 x)", std::string("\0\0\0", 3)});
  out.push_back({"regex", regex});
  out.push_back(
      {"behind_a_balancer",
       batch_of_lines(
           "behind_a_balancer", named_format("main").value(),
           {R"(10.0.0.1 - - [25/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "x" "203.0.113.7, 10.0.0.2")",
            R"(10.0.0.1 - - [25/Nov/2026:08:00:00 +0000] "GET / HTTP/1.1" 200 5 "-" "x" "2001:db8::7")",
            R"(192.0.2.9 - - [25/Nov/2026:07:59:59 +0000] "GET / HTTP/1.1" 200 5 "-" "x" "203.0.113.7")"},
           {.trusted_proxies = {"10.0.0.0/8"}, .client_from = {"http_x_forwarded_for"}})});
  out.push_back({"edges", batch_of_edges()});
  out.push_back({"no_lines", batch_of_lines("no_lines", named_format("combined").value(), {})});
  out.push_back(
      {"only_filtered", batch_of_lines("only_filtered", named_format("combined").value(), {"", "", ""})});
  out.push_back({"unknown_fields", with_unknown_fields(regex)});
  out.push_back({"unknown_values", with_unknown_values(regex)});

  auto heartbeat = golden_header("heartbeat");
  heartbeat.kind = BatchKind::kHeartbeat;
  heartbeat.source = {};
  heartbeat.range = {};
  heartbeat.lag_bytes = 4096;
  out.push_back({"heartbeat_without_watermark", encode_heartbeat(heartbeat).value()});
  heartbeat.watermark_ms = 1'795'592'799'000;
  out.push_back({"heartbeat", encode_heartbeat(heartbeat).value()});
  auto loss = golden_header("loss");
  loss.kind = BatchKind::kLoss;
  loss.range.end += 5000;
  out.push_back({"loss_not_received", encode_loss(loss).value()});
  loss.loss_cause = LossCause::kTruncatedUnread;
  out.push_back({"loss_truncated", encode_loss(loss).value()});
  out.push_back({"loss_unknown_cause", with_header(out.back().message, wire::kLossCauseField, 40)});

  out.push_back({"windows", batch_of_windows()});

  out.push_back({"refused_version", with_header(out.back().message, wire::kVersionField, 3)});
  out.push_back({"refused_kind", with_header(out[0].message, wire::kKindField, 1000)});
  out.push_back({"refused_lines", with_header(out[0].message, wire::kLinesField, 1)});

  // For a new kind of batch, add one here and run tests/data/golden/make.
  return out;
}

}  // namespace weir::testing
