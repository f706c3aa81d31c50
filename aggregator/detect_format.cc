#include "aggregator/detect_format.h"

#include "agent/format/known.h"

namespace weir {
namespace {

std::size_t count_matching(const KnownFormat& format, const std::vector<std::string>& lines) {
  auto parser = compile_format(format.spec, {});
  if (!parser) return 0;
  std::size_t matched = 0;
  for (const std::string& line : lines) {
    Record record;
    record.clear();
    Unparsed reason = Unparsed::kNoMatch;
    const bool fits = (*parser)->parse(line, record, reason) == LineParser::Outcome::kRecord;
    if (fits && line.find(format.mark) != std::string::npos) ++matched;
  }
  return matched;
}

}  // namespace

std::optional<DetectedFormat> detect_format(const std::vector<std::string>& lines) {
  std::optional<DetectedFormat> best;
  for (const KnownFormat& format : known_formats()) {
    const std::size_t matched = count_matching(format, lines);
    if (matched > (best ? best->matched : 0))
      best = DetectedFormat{std::string(format.name), format.spec, matched};
  }
  return best;
}

}  // namespace weir
