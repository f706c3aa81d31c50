#include "agent/format/compile.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir {
namespace {

constexpr std::string_view kCombined =
    R"($remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" )"
    R"("$http_user_agent")";
constexpr std::string_view kCommon =
    R"($remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent)";
constexpr std::string_view kMain =
    R"($remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" )"
    R"("$http_user_agent" "$http_x_forwarded_for")";

}  // namespace

Result<FormatSpec> named_format(std::string_view name) {
  using Kind = FormatSpec::Kind;
  if (name == "combined") return FormatSpec{Kind::kNginx, std::string(kCombined), "default"};
  if (name == "common") return FormatSpec{Kind::kNginx, std::string(kCommon), "default"};
  if (name == "main") return FormatSpec{Kind::kNginx, std::string(kMain), "default"};
  if (name == "json") return FormatSpec{Kind::kJson, {}, "default"};
  if (name == "w3c") return FormatSpec{Kind::kW3c, {}, "default"};
  return fail(Code::kNotFound, fmt::format("there is no format \"{}\"", name),
              "known are combined, common, main, json, w3c and those of [format.NAME]");
}

Result<std::unique_ptr<LineParser>> compile_format(const FormatSpec& spec, const ClientConfig& client) {
  auto builder = RecordBuilder::make(client);
  if (!builder) return std::unexpected(builder.error());
  switch (spec.kind) {
    case FormatSpec::Kind::kNginx:
      return compile_nginx(spec, std::move(*builder));
    case FormatSpec::Kind::kJson:
      return make_json_parser(std::move(*builder));
    case FormatSpec::Kind::kW3c:
      return make_w3c_parser(spec, std::move(*builder));
    case FormatSpec::Kind::kRegex:
      return compile_regex(spec, std::move(*builder));
  }
  return fail(Code::kInvalid, "a format of an unknown kind");
}

Error error_at(std::string_view what, std::string_view text, std::size_t at, std::string hint) {
  constexpr std::size_t kContext = 60;
  at = std::min(at, text.size());
  const std::size_t begin = at > kContext ? at - kContext : 0;
  std::string shown(text.substr(begin, 2 * kContext));
  // Each byte stays one column, so that the caret stands right.
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) c = ' ';
  }
  std::size_t column = at - begin;
  for (std::size_t i = 0; i < std::min(column, shown.size());) {
    // Bytes that continue a UTF-8 character take no column.
    if ((static_cast<unsigned char>(shown[i++]) & 0xC0U) == 0x80U && column > 0) --column;
  }
  return {
      Code::kInvalid,
      fmt::format("format: {} at character {}\n  {}\n  {}^", what, at + 1, shown, std::string(column, ' ')),
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
