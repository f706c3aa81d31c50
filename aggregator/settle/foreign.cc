#include "aggregator/settle/foreign.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>
#include <cmath>
#include <optional>

#include "common/moment.h"

namespace weir {
namespace {

namespace dom = simdjson::dom;

// Finds "http.response.status_code", written as one key or as nested objects.
std::optional<dom::element> find(const dom::object& object, std::string_view path) {
  dom::element found;
  if (object.at_key(path).get(found) == simdjson::SUCCESS) return found;
  for (std::size_t dot = path.find('.'); dot != std::string_view::npos; dot = path.find('.', dot + 1)) {
    dom::object inner;
    if (object.at_key(path.substr(0, dot)).get(inner) != simdjson::SUCCESS) continue;
    if (auto nested = find(inner, path.substr(dot + 1))) return nested;
  }
  return std::nullopt;
}

std::optional<std::string_view> find_string(const dom::object& object, std::string_view path) {
  const auto found = find(object, path);
  std::string_view text;
  if (!found || found->get(text) != simdjson::SUCCESS) return std::nullopt;
  return text;
}

std::optional<double> find_number(const dom::object& object, std::string_view path) {
  const auto found = find(object, path);
  if (!found) return std::nullopt;
  double value = 0;
  std::string_view text;
  if (found->get(value) == simdjson::SUCCESS) return value;
  if (found->get(text) != simdjson::SUCCESS) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void read_number(const dom::object& object, Number field, Record& out) {
  const auto found = find(object, ecs_name(field));
  if (!found) return;
  std::uint64_t exact = 0;
  if (!is_milliseconds(field) && found->get(exact) == simdjson::SUCCESS) {
    out.set(field, exact);
    return;
  }
  const auto value = find_number(object, ecs_name(field));
  if (!value) return;
  const double scaled = is_milliseconds(field) ? *value * 1000.0 : *value;
  // Beyond 2^53 a double is not an exact integer. No real value is that large.
  if (!(scaled >= 0) || scaled > 9007199254740992.0) return;
  out.set(field, static_cast<std::uint64_t>(std::llround(scaled)));
}

// Reads what weir's json codec writes, with names of the Elastic Common Schema.
bool read_own(const dom::object& object, Record& out) {
  const auto timestamp = find_string(object, "@timestamp");
  if (!timestamp) return false;
  const auto time_ms = parse_iso_ms(*timestamp);
  if (!time_ms) return false;
  out.clear();
  out.time_ms = *time_ms;
  for (std::size_t i = 0; i < kNumberCount; ++i) read_number(object, static_cast<Number>(i), out);
  bool any_text = false;
  for (std::size_t i = 0; i < kTextCount; ++i) {
    const auto field = static_cast<Text>(i);
    if (const auto text = find_string(object, ecs_name(field))) {
      out.set(field, *text);
      any_text = any_text || field == Text::kMethod || field == Text::kPath || field == Text::kRequest;
    }
  }
  // A timestamp alone proves nothing: records of other kinds of logs have one, too.
  return out.has(Number::kStatus) || any_text;
}

std::string_view host_of(const dom::object& object) {
  for (const std::string_view path : {"host.name", "host.hostname", "hostname", "host"}) {
    if (const auto host = find_string(object, path)) return *host;
  }
  return {};
}

}  // namespace

struct ForeignReader::Impl {
  std::unique_ptr<LineParser> line_parser;
  std::unique_ptr<LineParser> json_parser;  // for JSON lines of other programs (nginx's escape=json)
  dom::parser json;

  Outcome parse(LineParser& parser, std::string_view line, Reading& out) {
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
    if (line.empty()) return Outcome::kSkip;
    if (line.find('\0') != std::string_view::npos) {
      out.reason = fmt::format("the line does not parse: {}", to_string(Unparsed::kBinary));
      return Outcome::kUnparsed;
    }
    Unparsed reason = Unparsed::kNoMatch;
    switch (parser.parse(line, out.record, reason)) {
      case LineParser::Outcome::kRecord:
        return Outcome::kRecord;
      case LineParser::Outcome::kSkip:
        return Outcome::kSkip;
      case LineParser::Outcome::kUnparsed:
        break;
    }
    out.reason = fmt::format("the line does not parse: {}", to_string(reason));
    return Outcome::kUnparsed;
  }

  Outcome read_object(const dom::object& object, std::string_view payload, Reading& out) {
    out.host = host_of(object);
    for (const std::string_view key : {"message", "log"}) {
      dom::element element;
      std::string_view line;
      if (object.at_key(key).get(element) != simdjson::SUCCESS) continue;
      if (element.get(line) != simdjson::SUCCESS) continue;  // Filebeat's `log` is an object, not the line
      const Outcome outcome = parse(*line_parser, line, out);
      if (outcome != Outcome::kUnparsed) return outcome;
      // Filebeat's modules parse the line and may keep the original beside the fields.
      return read_own(object, out.record) ? Outcome::kRecord : outcome;
    }
    if (read_own(object, out.record)) return Outcome::kRecord;
    const Outcome outcome = parse(*json_parser, payload, out);
    if (outcome == Outcome::kUnparsed) {
      out.reason = "the JSON object has no `message` or `log`, and no fields of an access log with a time";
    }
    return outcome;
  }
};

ForeignReader::ForeignReader() : impl_(std::make_unique<Impl>()) {}
ForeignReader::~ForeignReader() = default;

Result<std::unique_ptr<ForeignReader>> ForeignReader::create(const FormatSpec& format) {
  auto reader = std::unique_ptr<ForeignReader>(new ForeignReader());
  FormatSpec spec = format;
  if (spec.kind == FormatSpec::Kind::kNginx && spec.text.empty()) {
    auto combined = named_format(kDefaultFormat);
    if (!combined) return std::unexpected(combined.error());
    spec = std::move(*combined);
  }
  auto line_parser = compile_format(spec, {});
  if (!line_parser) return std::unexpected(line_parser.error());
  auto json_parser = compile_format(FormatSpec{.kind = FormatSpec::Kind::kJson, .text = {}}, {});
  if (!json_parser) return std::unexpected(json_parser.error());
  reader->impl_->line_parser = std::move(*line_parser);
  reader->impl_->json_parser = std::move(*json_parser);
  return reader;
}

ForeignReader::Outcome ForeignReader::read(std::string_view payload, Reading& out) {
  out.record.clear();
  out.host = {};
  out.reason.clear();
  if (!payload.empty() && payload.front() == '{') {
    dom::object object;
    if (impl_->json.parse(payload.data(), payload.size()).get(object) == simdjson::SUCCESS) {
      return impl_->read_object(object, payload, out);
    }
  }
  return impl_->parse(*impl_->line_parser, payload, out);
}

}  // namespace weir
