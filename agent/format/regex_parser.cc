// Parses lines with RE2 and named groups. The name of a group gives the meaning of its text.
#include <fmt/format.h>
#include <re2/re2.h>

#include <map>

#include "agent/format/compile.h"

namespace weir {
namespace {

class RegexParser final : public RecordParser {
 public:
  RegexParser(RecordBuilder builder, std::unique_ptr<RE2> pattern)
      : RecordParser(std::move(builder)), pattern_(std::move(pattern)) {}

  // Call it in the order in which the groups appear in the pattern.
  void add_field(int group, const RecordBuilder::Field& field) {
    fields_.emplace_back(group, field);
    groups_.resize(std::max(groups_.size(), static_cast<std::size_t>(group) + 1));
  }

  [[nodiscard]] Outcome parse(std::string_view line, Record& out, Unparsed& reason) override {
    const LineCheck check = check_line(line, reason);
    if (check.outcome != Outcome::kRecord) return check.outcome;
    reason = Unparsed::kNoMatch;
    const re2::StringPiece text(check.line.data(), check.line.size());
    if (!pattern_->Match(text, 0, text.size(), RE2::ANCHOR_BOTH, groups_.data(),
                         static_cast<int>(groups_.size()))) {
      return Outcome::kUnparsed;
    }
    builder_.begin(out);
    for (const auto& [group, field] : fields_) {
      const re2::StringPiece& value = groups_[static_cast<std::size_t>(group)];
      if (value.data() != nullptr && !builder_.put(field, {value.data(), value.size()})) {
        return Outcome::kUnparsed;
      }
    }
    return finish(reason);
  }

 private:
  std::unique_ptr<RE2> pattern_;
  std::vector<std::pair<int, RecordBuilder::Field>> fields_;
  std::vector<re2::StringPiece> groups_;
};

}  // namespace

Result<std::unique_ptr<LineParser>> compile_regex(const FormatSpec& spec, RecordBuilder builder) {
  RE2::Options options;
  options.set_log_errors(false);
  // Match bytes, not characters: requests that contain invalid UTF-8 must match, too.
  options.set_encoding(RE2::Options::EncodingLatin1);
  auto pattern = std::make_unique<RE2>(spec.text, options);
  if (!pattern->ok()) {
    const std::size_t at = spec.text.find(pattern->error_arg());
    return std::unexpected(error_at(pattern->error(), spec.text, at == std::string::npos ? 0 : at,
                                    "the syntax is RE2's; groups are written (?P<status>...)"));
  }
  if (pattern->CapturingGroupNames().empty()) {
    return std::unexpected(error_at("no named group", spec.text, 0,
                                    "name what the groups mean: (?P<time>...), (?P<status>...)"));
  }
  std::vector<std::pair<int, RecordBuilder::Field>> fields;
  bool time = false;
  bool time_in_notation = false;
  for (const auto& [group, name] : pattern->CapturingGroupNames()) {
    std::array<char, 128> buffer{};
    const std::string_view normal = normal_name(name, buffer);
    const auto variable = any_variable(normal);
    if (variable && is_time(variable->meaning)) time = true;
    fields.emplace_back(group, builder.field(normal.empty() ? name : normal, variable, true));
    if (fields.back().second.variable.meaning == Meaning::kTimeNotation) time_in_notation = true;
  }
  if (!time) {
    return std::unexpected(
        error_at("no group for the time", spec.text, 0,
                 "weir needs the time of each request: name a group time, time_local or msec"));
  }
  if (!spec.time.empty() && !time_in_notation) {
    return fail(Code::kInvalid, "time: no group has this notation",
                "name the group time; time_local, time_iso8601 and msec have notations of their own");
  }
  if (builder.client_headers_missing()) {
    return fail(Code::kInvalid, "trusted_proxies are set, but no group is one of client_from",
                "name a group http_x_forwarded_for, or name a group it has in client_from");
  }
  auto parser = std::make_unique<RegexParser>(std::move(builder), std::move(pattern));
  for (const auto& [group, field] : fields) parser->add_field(group, field);
  return parser;
}

}  // namespace weir
