// nginx's log_format: its string becomes a list of (literal, variable) steps, and a
// line is cut by searching for the literal that follows each variable.
#include <fmt/format.h>

#include <cstring>

#include "agent/format/compile.h"
#include "agent/format/find_byte.h"
#include "agent/format/values.h"

namespace weir {
namespace {

enum class Escape { kDefault, kJson, kNone };

enum class Ending : std::uint8_t {
  kSearch,  // the literal's first occurrence
  kQuote,   // as kSearch, past quotes that a backslash escapes
  kList,    // as kSearch, past the spaces inside "a, b : c"
  kRest,    // nothing follows: all that is left
  kSuffix,  // the line's end (escape=none, where the literal may be in the value)
};

struct Step {
  RecordBuilder::Field field;
  std::string literal;  // what follows the variable; empty: the line's end
  Ending ending = Ending::kSearch;
  bool last = false;
};

constexpr std::size_t kNotFound = std::string_view::npos;

std::size_t find_literal(std::string_view text, std::string_view literal, std::size_t from) {
  const char* const end = text.data() + text.size();
  for (const char* at = text.data() + from;; ++at) {
    at = find_byte(at, end, literal[0]);
    if (static_cast<std::size_t>(end - at) < literal.size()) return kNotFound;
    std::size_t same = 1;
    while (same < literal.size() && at[same] == literal[same]) ++same;
    if (same == literal.size()) return static_cast<std::size_t>(at - text.data());
  }
}

// A quote after an odd number of backslashes belongs to the value.
bool escaped(std::string_view text, std::size_t at) {
  std::size_t slashes = 0;
  while (slashes < at && text[at - 1 - slashes] == '\\') ++slashes;
  return slashes % 2 == 1;
}

bool inside_list(std::string_view text, std::size_t at) {
  if (at > 0 && (text[at - 1] == ',' || (text[at - 1] == ':' && at > 1 && text[at - 2] == ' '))) return true;
  return text.substr(at).starts_with(" : ");
}

std::size_t value_end(const Step& step, std::string_view rest) {
  switch (step.ending) {
    case Ending::kRest:
      return rest.size();
    case Ending::kSuffix:
      return rest.ends_with(step.literal) ? rest.size() - step.literal.size() : kNotFound;
    case Ending::kSearch:
      return find_literal(rest, step.literal, 0);
    case Ending::kQuote: {
      std::size_t at = find_literal(rest, step.literal, 0);
      while (at != kNotFound && escaped(rest, at)) at = find_literal(rest, step.literal, at + 1);
      return at;
    }
    case Ending::kList: {
      std::size_t at = find_literal(rest, step.literal, 0);
      while (at != kNotFound && inside_list(rest, at)) at = find_literal(rest, step.literal, at + 1);
      return at;
    }
  }
  return kNotFound;
}

class NginxParser final : public LineParser {
 public:
  NginxParser(RecordBuilder builder, std::string prefix, std::vector<Step> steps, Escape escape)
      : builder_(std::move(builder)), prefix_(std::move(prefix)), steps_(std::move(steps)), escape_(escape) {}

  [[nodiscard]] Outcome parse(std::string_view line, Record& out, Unparsed& reason) override {
    const LineCheck check = check_line(line, reason);
    if (check.outcome != Outcome::kRecord) return check.outcome;
    reason = Unparsed::kNoMatch;
    std::string_view rest = check.line;
    if (!prefix_.empty()) {
      if (!rest.starts_with(prefix_)) return Outcome::kUnparsed;
      rest.remove_prefix(prefix_.size());
    }
    const bool escapes = escape_ != Escape::kNone && check.rare.backslash;
    if (escapes) scratch_.begin(rest.size());
    builder_.begin(out);
    for (const Step& step : steps_) {
      const std::size_t end = value_end(step, rest);
      if (end == kNotFound) return Outcome::kUnparsed;
      std::string_view value = rest.substr(0, end);
      if (escapes && std::memchr(value.data(), '\\', value.size()) != nullptr) {
        value = escape_ == Escape::kJson ? unescape_json(value, scratch_) : unescape_nginx(value, scratch_);
      }
      if (!builder_.put(step.field, value)) return Outcome::kUnparsed;
      rest.remove_prefix(end + step.literal.size());
    }
    if (!rest.empty()) return Outcome::kUnparsed;
    if (!builder_.finish()) {
      reason = Unparsed::kBadTime;
      return Outcome::kUnparsed;
    }
    return Outcome::kRecord;
  }

  [[nodiscard]] const std::vector<std::string>& extra_names() const override {
    return builder_.extra_names();
  }

 private:
  RecordBuilder builder_;
  std::string prefix_;
  std::vector<Step> steps_;
  Escape escape_;
  Scratch scratch_;
};

bool name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Takes the variable at `at` (a '$'); `at` moves past it.
Result<std::string_view> take_name(std::string_view text, std::size_t& at) {
  const std::size_t dollar = at++;
  const bool braces = at < text.size() && text[at] == '{';
  if (braces) ++at;
  const std::size_t first = at;
  while (at < text.size() && name_char(text[at])) ++at;
  const std::string_view name = text.substr(first, at - first);
  if (name.empty()) {
    return std::unexpected(error_at("a \"$\" without a variable's name", text, dollar,
                                    "nginx has no way to log a \"$\" itself; name a variable"));
  }
  if (braces && (at >= text.size() || text[at++] != '}')) {
    return std::unexpected(error_at("\"${\" without its \"}\"", text, dollar, "close it: ${name}"));
  }
  return name;
}

Ending ending_of(std::string_view name, const Step& step, Escape escape) {
  if (step.literal.empty()) return Ending::kRest;
  if (step.literal[0] == '"' && escape != Escape::kNone) return Ending::kQuote;
  if (step.last) return Ending::kSuffix;
  if (step.literal[0] == ' ' && is_list(name)) return Ending::kList;
  return Ending::kSearch;
}

}  // namespace

Result<std::unique_ptr<LineParser>> compile_nginx(const FormatSpec& spec, RecordBuilder builder) {
  Escape escape = Escape::kDefault;
  if (spec.escape == "json") {
    escape = Escape::kJson;
  } else if (spec.escape == "none") {
    escape = Escape::kNone;
  } else if (!spec.escape.empty() && spec.escape != "default") {
    return fail(Code::kInvalid, fmt::format("format: escape = \"{}\" is unknown", spec.escape),
                "nginx has escape=default, escape=json and escape=none");
  }
  const std::string_view text = spec.text;
  if (text.find_first_of(std::string_view("\n\0", 2)) != std::string_view::npos) {
    return std::unexpected(error_at("a line break or NUL", text,
                                    text.find_first_of(std::string_view("\n\0", 2)),
                                    "a record must be one line"));
  }
  std::size_t at = text.find('$');
  if (at == std::string_view::npos) {
    return std::unexpected(error_at("no variable", text, 0, "give the string of nginx's log_format"));
  }
  const std::string prefix(text.substr(0, at));
  std::vector<Step> steps;
  std::vector<std::string_view> names;
  bool time = false;
  while (at < text.size()) {
    const std::size_t variable_at = at;
    const auto name = take_name(text, at);
    if (!name) return std::unexpected(name.error());
    const std::size_t literal_end = std::min(text.find('$', at), text.size());
    Step step;
    step.literal = text.substr(at, literal_end - at);
    step.last = literal_end == text.size();
    if (step.literal.empty() && !step.last) {
      return std::unexpected(error_at("nothing stands between two variables", text, at,
                                      "put a character between them that neither value contains"));
    }
    const auto variable = nginx_variable(*name);
    if (variable && is_time(variable->meaning)) time = true;
    step.field = builder.field(*name, variable, true);
    if (!variable && step.field.extra < 0) {
      return std::unexpected(
          error_at("too many variables", text, variable_at,
                   fmt::format("at most {} may be unknown to weir", RecordBuilder::kMaxExtras)));
    }
    step.ending = ending_of(*name, step, escape);
    steps.push_back(std::move(step));
    at = literal_end;
  }
  if (!time) {
    return std::unexpected(
        error_at("no time", text, text.size(),
                 "weir needs the time of each request: log $time_local, $time_iso8601 or $msec"));
  }
  if (builder.client_headers_missing()) {
    return fail(
        Code::kInvalid, "trusted_proxies are set, but the format logs none of the headers of client_from",
        "add e.g. \"$http_x_forwarded_for\" to the log_format, or name a variable it has in client_from");
  }
  return std::make_unique<NginxParser>(std::move(builder), prefix, std::move(steps), escape);
}

}  // namespace weir
