// A file, its reader, and the batch that the engine would send.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>

#include "agent/format/compile.h"
#include "agent/ship/line_batch.h"
#include "agent/tail/line_reader.h"
#include "proto/batch.h"
#include "tests/unit/tail/counting_files.h"

namespace weir::testing {

inline std::string line(int n) {
  return "192.0.2.1 - - [24/Nov/2026:10:00:00 +0000] \"GET /" + std::to_string(n) +
         " HTTP/1.1\" 200 10 \"-\" \"-\"\n";
}

struct Follow {
  explicit Follow(const std::string& path, std::uint64_t offset = 0, std::uint64_t max_line = 1 << 20,
                  const char* format = "combined")
      : parser(std::move(*compile_format(*named_format(format), {}))),
        content(std::move(*Content::open(path, files))),
        reader(content, offset, {}, max_line),
        batch(1) {}

  DecodedBatch next(std::uint64_t limit_bytes = 1 << 20) {
    const auto begin = reader.offset();
    batch.begin(*parser, {Codec::kBatch});
    EXPECT_TRUE(reader.fill(batch, limit_bytes, *parser).has_value());
    BatchHeader header;
    header.source = make_source_id("web1", "a.log", "first");
    header.agent_id = "web1";
    header.range = {begin, reader.offset()};
    const auto message = batch.finish(Codec::kBatch, header);
    EXPECT_TRUE(message.has_value());
    bytes = *message;
    auto decoded = decode_batch(bytes);
    EXPECT_TRUE(decoded.has_value()) << (decoded ? "" : decoded.error().what);
    return decoded ? std::move(*decoded) : DecodedBatch{};
  }

  CountingFiles files;
  std::unique_ptr<LineParser> parser;
  std::shared_ptr<Content> content;
  LineReader reader;
  LineBatch batch;
  std::string bytes;
};

}  // namespace weir::testing
