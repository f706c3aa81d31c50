// Hot loops of proto/: lines into columns, columns into windows. items_per_second is lines per second.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <random>

#include "proto/window.h"

namespace weir {
namespace {

constexpr std::uint32_t kLines = 4000;
constexpr std::uint32_t kLineBytes = 270;

void fill(BatchBuilder& builder) {
  static const auto texts = [] {
    std::mt19937 random(1);
    std::vector<std::array<std::string, 4>> out(kLines);
    for (auto& row : out) {
      row = {fmt::format("10.{}.{}.1", random() % 8, random() % 250), fmt::format("/shop/{}", random() % 900),
             fmt::format("site{}.example", random() % 20),
             fmt::format("Mozilla/5.0 Chrome/{}", random() % 90)};
    }
    return out;
  }();
  builder.begin({});
  Record record;
  for (std::uint32_t i = 0; i < kLines; ++i) {
    record.clear();
    record.time_ms = 1'790'000'000'000 + i;
    record.set(Text::kClientAddress, texts[i][0]);
    record.set(Text::kMethod, "GET");
    record.set(Text::kPath, texts[i][1]);
    record.set(Text::kProtocol, "HTTP/1.1");
    record.set(Text::kHost, texts[i][2]);
    record.set(Text::kUserAgent, texts[i][3]);
    record.set(Number::kStatus, 200);
    record.set(Number::kBytesSent, i * 37 % 50'000);
    record.set(Number::kRequestTimeMs, i % 900);
    builder.add(record, kLineBytes);
  }
}

BatchHeader header() {
  BatchHeader header;
  header.source = make_source_id("a", "b", "c");
  header.range = {0, std::uint64_t{kLines} * kLineBytes};
  return header;
}

void encode(benchmark::State& state) {
  BatchBuilder builder(static_cast<int>(state.range(0)));
  std::size_t bytes = 0;
  for (auto _ : state) {
    fill(builder);
    bytes = builder.finish(header()).value().size();
  }
  state.SetItemsProcessed(state.iterations() * kLines);
  state.counters["wire_bytes_per_line"] = static_cast<double>(bytes) / kLines;
}
BENCHMARK(encode)->Arg(1)->Arg(3);

void decode_and_fold(benchmark::State& state) {
  BatchBuilder builder;
  fill(builder);
  const auto message = builder.finish(header()).value();
  for (auto _ : state) {
    const auto batch = decode_batch(message).value();
    WindowDelta delta;
    fold(batch, 0, kLines, {}, delta);
    benchmark::DoNotOptimize(delta);
  }
  state.SetItemsProcessed(state.iterations() * kLines);
}
BENCHMARK(decode_and_fold);

}  // namespace
}  // namespace weir
