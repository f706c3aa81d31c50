// Batches for the tests: a file of lines, cut as the test wants.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "aggregator/settle/settler.h"
#include "proto/batch.h"

namespace weir::testing {

struct Line {
  enum class Kind { kRecord, kUnparsed, kFiltered } kind = Kind::kRecord;
  std::int64_t time_ms = 1'764'000'000'000;
  std::string host = "shop.example";
  std::uint64_t status = 200;
  std::uint64_t bytes_sent = 100;
  std::uint64_t request_time_ms = 5;
  std::uint32_t line_bytes = 80;
};

inline BatchHeader header_of(SourceId source) {
  BatchHeader header;
  header.source = source;
  header.agent_id = "agent-1";
  header.instance = 1;
  header.host = "web1";
  header.input = "nginx";
  header.path = "/var/log/nginx/access.log";
  return header;
}

// With two sites and two statuses, over ten minutes; some lines do not parse, some are filtered.
template <class Random>
std::vector<Line> random_file(Random& random, std::size_t lines) {
  std::vector<Line> file(lines);
  for (Line& line : file) {
    const auto kind = random() % 10;
    line.kind = kind == 0 ? Line::Kind::kUnparsed : kind == 1 ? Line::Kind::kFiltered : Line::Kind::kRecord;
    line.time_ms += static_cast<std::int64_t>(random() % 600'000);
    line.host = random() % 2 == 0 ? "shop.example" : "api.example";
    line.status = random() % 3 == 0 ? 500 : 200;
    line.bytes_sent = random() % 100'000;
    line.request_time_ms = random() % 200'000;
    line.line_bytes = 1 + static_cast<std::uint32_t>(random() % 300);
  }
  return file;
}

// The reason of an unparsed line.
inline Unparsed reason_of(const Line& line) {
  return line.line_bytes % 2 == 0 ? Unparsed::kTooLong : Unparsed::kNoMatch;
}

inline Record record_of(const Line& line) {
  Record record;
  record.clear();
  record.time_ms = line.time_ms;
  record.set(Text::kHost, line.host);
  record.set(Number::kStatus, line.status);
  record.set(Number::kBytesSent, line.bytes_sent);
  record.set(Number::kRequestTimeMs, line.request_time_ms);
  return record;
}

// Lines [first, end) of the file `lines` as one message of windows.
inline std::string windows_of(const std::vector<Line>& lines, std::size_t first, std::size_t end,
                              BatchHeader header, const FoldConfig& config = {}) {
  LineFolder folder;
  folder.begin(config, "");
  header.kind = BatchKind::kWindows;
  header.range = {};
  for (std::size_t i = 0; i < first; ++i) header.range.begin += lines[i].line_bytes;
  header.range.end = header.range.begin;
  for (std::size_t i = first; i < end; ++i) {
    header.range.end += lines[i].line_bytes;
    if (lines[i].kind == Line::Kind::kUnparsed) {
      folder.add_unparsed("what is this", reason_of(lines[i]));
    } else if (lines[i].kind == Line::Kind::kFiltered) {
      folder.add_filtered();
    } else {
      folder.add(record_of(lines[i]));
    }
  }
  return encode_windows(header, folder.finish(), 1).value();
}

// Lines [first, end) of the file `lines` as one message.
inline std::string batch_of(const std::vector<Line>& lines, std::size_t first, std::size_t end,
                            BatchHeader header) {
  BatchBuilder builder;
  builder.begin({});
  std::uint64_t begin_offset = 0;
  for (std::size_t i = 0; i < first; ++i) begin_offset += lines[i].line_bytes;
  for (std::size_t i = first; i < end; ++i) {
    const Line& line = lines[i];
    if (line.kind == Line::Kind::kUnparsed) {
      builder.add_unparsed("what is this", reason_of(line), line.line_bytes);
    } else if (line.kind == Line::Kind::kFiltered) {
      builder.add_filtered(line.line_bytes);
    } else {
      builder.add(record_of(line), line.line_bytes);
    }
  }
  header.range = {begin_offset, begin_offset + builder.content_bytes()};
  auto message = builder.finish(header);
  EXPECT_TRUE(message.has_value()) << (message ? "" : message.error().what);
  return message.value_or("");
}

inline SourceMessage message_at(std::int64_t offset, std::string payload, std::int32_t partition = 0) {
  SourceMessage message;
  message.partition = {"access", partition};
  message.offset = offset;
  message.payload = std::move(payload);
  message.timestamp_ms = 1'764'000'000'000;
  return message;
}

}  // namespace weir::testing
