// Arbitrary field maps: compiled or refused, then tried on a line. Lines "key=name" up to an empty one are
// the map; the line after it is the log's.
#include <memory>

#include "agent/format/parser.h"
#include "tests/fuzz/require.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using weir::testing::require;
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  weir::FormatSpec spec{.kind = weir::FormatSpec::Kind::kJson};
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    if (line.empty()) break;
    const std::size_t equals = line.find('=');
    spec.fields[std::string(line.substr(0, equals))] =
        equals == std::string_view::npos ? "" : std::string(line.substr(equals + 1));
  }
  const auto parser = weir::compile_format(spec, {{"10.0.0.0/8"}, {"http_x_forwarded_for"}});
  if (!parser) {
    require(!parser.error().what.empty(), "a mistake says what is wrong");
    return 0;
  }
  const std::string line(rest);
  weir::Record record;
  weir::Unparsed reason{};
  std::string json;
  if ((*parser)->parse(line, record, reason) == weir::LineParser::Outcome::kRecord) {
    require(record.time_ms != weir::kNoTime, "a record has a time");
    weir::append_json(json, record, (*parser)->extra_names());
    for (const char c : json) require(static_cast<unsigned char>(c) >= 0x20, "it is one line");
  }
  return 0;
}
