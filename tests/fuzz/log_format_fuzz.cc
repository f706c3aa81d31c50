// Arbitrary formats: compiled or refused with a position, then tried on a line.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "agent/format/parser.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  using weir::FormatSpec;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::size_t cut = text.find('\n');
  FormatSpec spec;
  spec.text = text.substr(0, cut);
  if (data[0] % 5 == 0) spec.escape = "json";
  if (data[0] % 5 == 1) spec.escape = "none";
  if (data[0] % 5 == 2) spec.kind = FormatSpec::Kind::kW3c;
  if (data[0] % 5 == 3 && size < 512) spec.kind = FormatSpec::Kind::kRegex;
  const auto parser = weir::compile_format(spec, {{"10.0.0.0/8"}, {"http_x_real_ip"}});
  if (!parser) {
    if (parser.error().what.empty()) std::abort();
    return 0;
  }
  const std::string line(cut == std::string_view::npos ? text : text.substr(cut + 1));
  weir::Record record;
  weir::Unparsed reason{};
  std::string json;
  if ((*parser)->parse(line, record, reason) == weir::LineParser::Outcome::kRecord) {
    weir::append_json(json, record, (*parser)->extra_names());
  }
  return 0;
}
