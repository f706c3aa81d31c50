// Messages of other shippers are read without a crash. Our own json codec writes the result as one line,
// which is read as the same request.
#include "aggregator/settle/foreign.h"
#include "tests/fuzz/require.h"

namespace {

using weir::ForeignReader;
using weir::testing::require;

struct Readers {
  std::vector<std::unique_ptr<ForeignReader>> all;
  Readers() {
    for (const char* name : {"combined", "json", "w3c"}) {
      all.push_back(std::move(*ForeignReader::create(*weir::named_format(name))));
    }
    all.push_back(std::move(
        *ForeignReader::create({weir::FormatSpec::Kind::kRegex,
                                R"((?P<time>\S+) (?P<request>.*) (?P<status>\d+) ?(?P<other>.*))", ""})));
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Readers readers;
  static const auto again = std::move(*ForeignReader::create(*weir::named_format("combined")));
  const std::string payload(reinterpret_cast<const char*>(data), size);
  ForeignReader::Reading reading;
  ForeignReader::Reading copy;
  for (const auto& reader : readers.all) {
    const auto outcome = reader->read(payload, reading);
    if (outcome == ForeignReader::Outcome::kUnparsed) {
      require(!reading.reason.empty(), "what is not read has a reason");
      continue;
    }
    if (outcome != ForeignReader::Outcome::kRecord) continue;
    require(reading.record.time_ms != weir::kNoTime, "a record has a time");
    std::string json;
    reading.record.extra = {};
    weir::append_json(json, reading.record, {});
    for (const char c : json) require(static_cast<unsigned char>(c) >= 0x20, "it is one line");
    const auto& record = reading.record;
    const bool known = record.has(weir::Number::kStatus) || !record.get(weir::Text::kMethod).empty() ||
                       !record.get(weir::Text::kPath).empty() || !record.get(weir::Text::kRequest).empty();
    if (!known || json.find("\"@timestamp\"") == std::string::npos) continue;
    const std::int64_t time_ms = record.time_ms;
    require(again->read(json, copy) == ForeignReader::Outcome::kRecord, "our own codec is read");
    require(copy.record.time_ms == time_ms, "with the same time");
    for (const auto field : {weir::Number::kStatus, weir::Number::kBytesSent, weir::Number::kBodyBytesSent}) {
      // Doubles are exact only up to there.
      if (!record.has(field) || record.get(field) > 1ULL << 53) continue;
      require(copy.record.has(field) && copy.record.get(field) == record.get(field), "with the same numbers");
    }
  }
  return 0;
}
