#include "agent/format/compile.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir {
namespace {

// A key that does not apply to the format's kind is an error. Ignoring it would hide a mistake.
Result<void> check_keys(const FormatSpec& spec) {
  const bool json = spec.kind == FormatSpec::Kind::kJson;
  const bool regex = spec.kind == FormatSpec::Kind::kRegex;
  if (!spec.fields.empty() && !json)
    return fail(Code::kInvalid, "fields: only json has them", "in a regex, name the groups");
  if (!spec.time.empty() && !json && !regex)
    return fail(Code::kInvalid, "time: only json and regex have it", "leave it out");
  if (!spec.zone.empty() && spec.time.empty())
    return fail(Code::kInvalid, "zone: needs time",
                "give the notation of the times, too: time = \"%d/%b/%Y:%T\"");
  return {};
}

}  // namespace

Result<std::unique_ptr<LineParser>> compile_format(const FormatSpec& spec, const ClientConfig& client) {
  auto builder = RecordBuilder::make(client);
  if (!builder) return std::unexpected(builder.error());
  if (const auto checked = check_keys(spec); !checked) return std::unexpected(checked.error());
  if (!spec.time.empty()) {
    auto notation = TimeNotation::compile(spec.time, spec.zone);
    if (!notation) return std::unexpected(notation.error());
    builder->read_times_as(std::move(*notation));
  }
  switch (spec.kind) {
    case FormatSpec::Kind::kNginx:
      return compile_nginx(spec, std::move(*builder));
    case FormatSpec::Kind::kJson:
      return compile_json(spec, std::move(*builder));
    case FormatSpec::Kind::kW3c:
      return compile_w3c(spec, std::move(*builder));
    case FormatSpec::Kind::kRegex:
      return compile_regex(spec, std::move(*builder));
  }
  return fail(Code::kInvalid, "the format is of an unknown kind");
}

Error error_at(std::string_view what, std::string_view text, std::size_t at, std::string hint,
               std::string_view subject) {
  constexpr std::size_t kContext = 60;
  at = std::min(at, text.size());
  const std::size_t begin = at > kContext ? at - kContext : 0;
  std::string shown(text.substr(begin, 2 * kContext));
  // Keep one column per byte, so that the caret points at the right place.
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  std::size_t column = at - begin;
  for (std::size_t i = 0; i < std::min(column, shown.size());) {
    // Bytes that continue a UTF-8 character take no column.
    if ((static_cast<unsigned char>(shown[i++]) & 0xC0U) == 0x80U && column > 0) --column;
  }
  return {Code::kInvalid,
          fmt::format("{}: {} at character {}\n  {}\n  {}^", subject, what, at + 1, shown,
                      std::string(column, ' ')),
          std::move(hint)};
}

LineCheck check_line(std::string_view line, Unparsed& reason) {
  if (blank(line)) return {line, LineParser::Outcome::kSkip, {}};
  const auto rare = rare_bytes(line.data(), line.data() + line.size());
  if (rare.nul) {
    reason = Unparsed::kBinary;
    return {line, LineParser::Outcome::kUnparsed, rare};
  }
  return {line, LineParser::Outcome::kRecord, rare};
}

}  // namespace weir
