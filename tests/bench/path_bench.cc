// The hot path of the agent and of the aggregator, stage by stage, over one log: cutting lines, parsing them,
// filling columns, encoding; decoding, folding. Bytes per second are always bytes of log.
//   WEIR_BENCH_LOG=FILE   a log of tests/bench/make_log; without it, one of the same shape is generated
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "agent/format/parser.h"
#include "agent/ship/line_batch.h"
#include "proto/batch.h"
#include "proto/window.h"

namespace weir {
namespace {

constexpr std::uint64_t kBatchBytes = 4 << 20;  // the agent's default
constexpr std::uint64_t kMaxLine = 1 << 20;
constexpr int kMadeLines = 100'000;
constexpr const char* kFormat =
    "$remote_addr - $remote_user [$time_local] \"$request\" $status $bytes_sent \"$http_referer\" "
    "\"$http_user_agent\" \"$http_x_forwarded_for\" $host $request_time $upstream_response_time";

std::string made_log() {
  std::mt19937 random(1);
  // A few of many occur often, as with clients, paths and sites.
  const auto pick = [&](double of) {
    return static_cast<int>(std::pow(of, static_cast<double>(random()) / 4294967296.0));
  };
  std::string log;
  for (int i = 0; i < kMadeLines; ++i) {
    const auto took_ms = 1 + pick(500);
    fmt::format_to(
        std::back_inserter(log),
        "10.0.0.{} - - [21/Sep/2026:14:13:{:02} +0000] \"GET /api/v2/items/{:012x}{} HTTP/1.1\" {} {} "
        "\"https://site{}.example/shop/{:06x}\" \"Mozilla/5.0 (Windows NT 10.0; Win64; x64) "
        "AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36\" "
        "\"{}.{}.{}.{}\" site{}.example {}.{:03} 0.{:03}\n",
        2 + random() % 4, i / 2000 % 60, pick(20'000) * 2'654'435'761ULL,
        random() % 10 < 3 ? fmt::format("?id={}&ref={:x}", random() % 100'000, random() % 1'000'000)
                          : std::string(),
        random() % 10 == 0 ? 304 : 200, 100 + pick(100'000), pick(200), pick(200) * 31'337, 100 + pick(30),
        1 + pick(200), pick(250), random() % 8, 1 + pick(250), pick(20), took_ms / 1000, took_ms % 1000,
        took_ms * 9 / 10 % 1000);
  }
  return log;
}

const std::string& log_bytes() {
  static const std::string log = [] {
    const char* path = std::getenv("WEIR_BENCH_LOG");
    if (path == nullptr) return made_log();
    std::ifstream in(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }();
  return log;
}

std::unique_ptr<LineParser> parser() {
  return std::move(*compile_format({.kind = FormatSpec::Kind::kNginx, .text = kFormat}, {}));
}

void report(benchmark::State& state, std::int64_t lines) {
  state.SetItemsProcessed(lines);
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                          static_cast<std::int64_t>(log_bytes().size()));
}

// As LineReader passes it on: in blocks, whose memory stays in the processor's cache.
template <class Take>
void each_block(Take take) {
  constexpr std::size_t kBlock = 256 << 10;
  static std::string block;
  const std::string& log = log_bytes();
  for (std::size_t at = 0; at < log.size();) {
    const auto size = std::min(kBlock, log.size() - at);
    block.assign(log, at, size);
    const auto end = block.rfind('\n');
    if (end == std::string::npos) break;
    take(std::string_view(block).substr(0, end + 1));
    at += end + 1;
  }
}

// The minimal cost of any reader of lines.
void copy_blocks(benchmark::State& state) {
  for (auto _ : state) each_block([](std::string_view block) { benchmark::DoNotOptimize(block.data()); });
  report(state, 0);
}
BENCHMARK(copy_blocks);

void split_lines(benchmark::State& state) {
  std::int64_t lines = 0;
  for (auto _ : state) {
    each_block([&](std::string_view block) {
      const char* at = block.data();
      const char* const end = at + block.size();
      while (at < end) {
        at = static_cast<const char*>(std::memchr(at, '\n', static_cast<std::size_t>(end - at))) + 1;
        ++lines;
      }
    });
  }
  report(state, lines);
}
BENCHMARK(split_lines);

void parse_lines(benchmark::State& state) {
  const auto parse = parser();
  Record record;
  Unparsed reason{};
  std::int64_t lines = 0;
  for (auto _ : state) {
    each_block([&](std::string_view block) {
      while (!block.empty()) {
        const auto end = block.find('\n');
        record.clear();
        if (parse->parse(block.substr(0, end), record, reason) != LineParser::Outcome::kRecord) std::abort();
        benchmark::DoNotOptimize(record);
        block.remove_prefix(end + 1);
        ++lines;
      }
    });
  }
  report(state, lines);
}
BENCHMARK(parse_lines);

// Puts lines into batches; with `finish`, also encodes and compresses them.
std::int64_t make_batches(bool finish, std::vector<std::string>* out, int zstd_level = 1) {
  const auto parse = parser();
  LineBatch batch(zstd_level);
  std::int64_t lines = 0;
  std::uint64_t offset = 0;
  const auto close = [&] {
    lines += static_cast<std::int64_t>(batch.counts().lines);
    if (!finish) return batch.begin(*parse, {Codec::kBatch});
    BatchHeader header;
    header.source = make_source_id("a", "b", "c");
    header.range = {offset, offset + batch.content_bytes()};
    offset = header.range.end;
    auto message = batch.finish(Codec::kBatch, header);
    if (!message) std::abort();
    benchmark::DoNotOptimize(message->data());
    if (out != nullptr) out->push_back(std::move(*message));
    batch.begin(*parse, {Codec::kBatch});
  };
  batch.begin(*parse, {Codec::kBatch});
  each_block([&](std::string_view block) {
    while (!block.empty()) {
      block.remove_prefix(batch.add_lines(block, kBatchBytes, kMaxLine));
      if (batch.content_bytes() >= kBatchBytes) close();
    }
  });
  if (batch.content_bytes() > 0) close();
  return lines;
}

void parse_and_build(benchmark::State& state) {
  std::int64_t lines = 0;
  for (auto _ : state) lines += make_batches(false, nullptr);
  report(state, lines);
}
BENCHMARK(parse_and_build);

void parse_build_encode(benchmark::State& state) {
  std::int64_t lines = 0;
  std::vector<std::string> made;
  for (auto _ : state) {
    made.clear();
    lines += make_batches(true, &made, static_cast<int>(state.range(0)));
  }
  std::size_t bytes = 0;
  for (const auto& message : made) bytes += message.size();
  report(state, lines);
  state.counters["wire_bytes_per_line"] =
      static_cast<double>(bytes) * static_cast<double>(state.iterations()) / static_cast<double>(lines);
}
BENCHMARK(parse_build_encode)->Arg(1)->Arg(3);

const std::vector<std::string>& messages() {
  static const std::vector<std::string> made = [] {
    std::vector<std::string> out;
    make_batches(true, &out);
    return out;
  }();
  return made;
}

// The part of a batch that the settler reads.
DecodeLimits to_fold() {
  DecodeLimits limits;
  limits.text_columns =
      1U << static_cast<unsigned>(Text::kHost) | 1U << static_cast<unsigned>(Text::kServerName);
  limits.extra_columns = false;
  return limits;
}

void decode(benchmark::State& state) {
  messages();  // prepared outside the measurement
  std::int64_t lines = 0;
  for (auto _ : state) {
    for (const auto& message : messages()) {
      const auto batch = decode_batch(message).value();
      lines += static_cast<std::int64_t>(batch.columns.records());
      benchmark::DoNotOptimize(batch.columns.time_ms.data());
    }
  }
  report(state, lines);
}
BENCHMARK(decode);

void decode_and_fold(benchmark::State& state) {
  messages();  // prepared outside the measurement
  std::int64_t lines = 0;
  for (auto _ : state) {
    WindowDelta delta;
    for (const auto& message : messages()) {
      const auto batch = decode_batch(message, to_fold()).value();
      fold(batch, 0, static_cast<std::uint32_t>(batch.columns.line_bytes.size()), {}, delta);
      lines += static_cast<std::int64_t>(batch.columns.records());
    }
    benchmark::DoNotOptimize(delta);
  }
  report(state, lines);
}
BENCHMARK(decode_and_fold);

}  // namespace
}  // namespace weir
