// Lines through each parser, and through JSON output.
#include <benchmark/benchmark.h>

#include <array>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "agent/format/parser.h"

namespace weir {
namespace {

constexpr int kLines = 1024;  // all different, so that branch prediction cannot learn a single line

std::string line_of(const std::string& format, int n) {
  const auto number = std::to_string(n * 2'654'435'761U % 100'000);
  const std::string head = "192.0.2." + std::to_string(n % 250) +
                           " - - [24/Nov/2026:10:" + (n % 60 < 10 ? "0" : "") + std::to_string(n % 60) +
                           ":00 +0000] \"GET /shop/" + number + "?id=" + number + " HTTP/1.1\" 200 " +
                           number +
                           " \"https://a.example/\" "
                           "\"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/120.0.0.0\"";
  if (format == "combined") return head;
  if (format == "w3c")
    return "2026-11-24\t10:00:00\tFRA1\t" + number + "\t192.0.2.1\tGET\td1.example\t/shop/" + number +
           "\t200";
  return R"({"time_iso8601":"2026-11-24T10:00:00+00:00","remote_addr":"192.0.2.1","request":"GET /shop/)" +
         number + R"( HTTP/1.1","status":"200","bytes_sent":")" + number +
         R"(","host":"a.example","http_user_agent":"Mozilla/5.0"})";
}

void parse(benchmark::State& state, const std::string& format, bool print) {
  const auto parser = std::move(*compile_format(*named_format(format), {}));
  Record record;
  Unparsed reason{};
  if (format == "w3c") {
    std::ignore = parser->parse(
        "#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status", record,
        reason);
  }
  std::vector<std::string> lines;
  for (int i = 0; i < kLines; ++i) lines.push_back(line_of(format, i));
  std::string out;
  std::int64_t parsed = 0;
  std::size_t bytes = 0;
  for (auto _ : state) {
    for (const auto& line : lines) {
      record.clear();
      if (parser->parse(line, record, reason) != LineParser::Outcome::kRecord) {
        state.SkipWithError("a line did not parse");
        return;
      }
      if (print) {
        out.clear();
        append_json(out, record, parser->extra_names());
      }
      benchmark::DoNotOptimize(record);
      bytes += line.size();
      ++parsed;
    }
  }
  state.SetItemsProcessed(parsed);
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes));
}
BENCHMARK_CAPTURE(parse, combined, "combined", false);
BENCHMARK_CAPTURE(parse, json, "json", false);
BENCHMARK_CAPTURE(parse, w3c, "w3c", false);
BENCHMARK_CAPTURE(parse, combined_to_json, "combined", true);

}  // namespace
}  // namespace weir
