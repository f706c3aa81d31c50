#include "aggregator/detect_format.h"

namespace weir {
namespace {

std::size_t count_matching(const FormatSpec& spec, const std::vector<std::string>& lines) {
  auto parser = compile_format(spec, {});
  if (!parser) return 0;
  std::size_t matched = 0;
  for (const std::string& line : lines) {
    Record record;
    record.clear();
    Unparsed reason = Unparsed::kNoMatch;
    if ((*parser)->parse(line, record, reason) == LineParser::Outcome::kRecord) ++matched;
  }
  return matched;
}

}  // namespace

std::optional<DetectedFormat> detect_format(const std::vector<std::string>& lines) {
  std::optional<DetectedFormat> best;
  for (const char* name : {"combined", "main", "common", "json", "w3c"}) {
    const auto spec = named_format(name);
    if (!spec) continue;
    const std::size_t matched = count_matching(*spec, lines);
    if (matched > (best ? best->matched : 0)) best = DetectedFormat{name, *spec, matched};
  }
  return best;
}

}  // namespace weir
