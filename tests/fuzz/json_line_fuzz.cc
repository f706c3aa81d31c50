// JSON lines: whatever is read is printed as JSON that can be read again, with the same time.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "agent/format/parser.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto parser = std::move(*weir::compile_format(*weir::named_format("json"), {}));
  static const auto again = std::move(*weir::compile_format(*weir::named_format("json"), {}));
  const std::string line(reinterpret_cast<const char*>(data), size);
  weir::Record record;
  weir::Unparsed reason{};
  if (parser->parse(line, record, reason) != weir::LineParser::Outcome::kRecord) return 0;
  std::string json;
  weir::append_json(json, record, parser->extra_names());
  weir::Record copy;
  const bool printable = json.find("\"@timestamp\"") != std::string::npos;
  if (printable && again->parse(json, copy, reason) != weir::LineParser::Outcome::kRecord) std::abort();
  if (printable && copy.time_ms != record.time_ms) std::abort();
  return 0;
}
