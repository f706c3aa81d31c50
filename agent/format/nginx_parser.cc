// Parses lines of an nginx log_format. The format string becomes a list of steps (variable, literal), and a
// line is split by searching for the literal after each variable.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "agent/format/compile.h"
#include "agent/format/find_byte.h"
#include "agent/format/line_index.h"
#include "agent/format/values.h"
#include "proto/must.h"

namespace weir {
namespace {

enum class Escape { kDefault, kJson, kNone };

enum class Ending : std::uint8_t {
  kSearch,  // at the literal's first occurrence
  kQuote,   // as kSearch, but skips quotes escaped by a backslash
  kList,    // as kSearch, but skips the spaces inside "a, b : c"
  kRest,    // no literal follows: the rest of the line
  kSuffix,  // at the line's end (escape=none, where the value may contain the literal)
};

// Whether the value ends at the literal's first occurrence. If it does, the index alone finds the end.
enum class Quick : std::uint8_t { kAlways, kWithoutBackslashes, kNever };

struct Step {
  // The literal is found by one of its bytes. Then its first eight bytes (or all, if it is shorter) are
  // compared as one word.
  const std::uint64_t* bits = nullptr;  // the positions of that byte in the index; nullptr: not indexed
  std::uint64_t word = 0, word_mask = 0;
  std::size_t wanted_at = 0;  // which byte of the literal that is
  std::size_t literal_bytes = 0;
  RecordBuilder::Field field;
  Ending ending = Ending::kSearch;
  Quick quick = Quick::kNever;
  bool last = false;
  std::string literal;  // follows the variable; empty: the end of the line
};

constexpr std::size_t kNotFound = std::string_view::npos;

std::uint64_t load_word(const char* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// Prefers quotes, because they are rarer in values than spaces. The index covers two bytes; few formats need
// a third. Also sets wanted_at of each step.
std::array<char, LineIndex::kSlots> choose_wanted(std::vector<Step>& steps) {
  std::array<char, LineIndex::kSlots> slots{};
  std::size_t used = 0;
  for (Step& step : steps) {
    if (step.literal.empty()) continue;
    const auto quote = step.literal.find('"');
    if (quote < LineIndex::kAhead) step.wanted_at = quote;
    const char wanted = step.literal[step.wanted_at];
    if (used < slots.size() && std::find(slots.begin(), slots.begin() + used, wanted) == slots.begin() + used)
      slots[used++] = wanted;
  }
  return slots;
}

struct BySearch {
  std::string_view line;
  [[nodiscard]] std::size_t next(const Step& step, std::size_t from) const {
    if (from >= line.size()) return kNotFound;
    const char* const end = line.data() + line.size();
    const char* const at = find_byte(line.data() + from, end, step.literal[step.wanted_at]);
    return at == end ? kNotFound : static_cast<std::size_t>(at - line.data());
  }
};
struct ByIndex {
  const LineIndex& index;
  std::string_view line;
  [[nodiscard]] std::size_t next(const Step& step, std::size_t from) const {
    return step.bits != nullptr ? index.next(step.bits, from) : BySearch{line}.next(step, from);
  }
};

// Whether the step's literal starts at `at`. Its wanted byte has already been found there.
inline bool literal_at(const Step& step, std::string_view line, std::size_t at) {
  if (step.literal_bytes == 1) return true;
  if (line.size() - at < sizeof step.word) return line.substr(at).starts_with(step.literal);
  if (((load_word(line.data() + at) ^ step.word) & step.word_mask) != 0) return false;
  return step.literal_bytes <= sizeof step.word || line.substr(at).starts_with(step.literal);
}

template <class Find>
std::size_t find_literal(const Step& step, const Find& find, std::size_t from) {
  for (std::size_t at = from + step.wanted_at;; ++at) {
    at = find.next(step, at);
    if (at == kNotFound) return kNotFound;
    if (literal_at(step, find.line, at - step.wanted_at)) return at - step.wanted_at;
  }
}

// A quote after an odd number of backslashes belongs to the value.
bool escaped(std::string_view line, std::size_t value_at, std::size_t at) {
  std::size_t slashes = 0;
  while (slashes < at - value_at && line[at - 1 - slashes] == '\\') ++slashes;
  return slashes % 2 == 1;
}

bool inside_list(std::string_view text, std::size_t at) {
  if (at > 0 && (text[at - 1] == ',' || (text[at - 1] == ':' && at > 1 && text[at - 2] == ' '))) return true;
  return text.substr(at).starts_with(" : ");
}

// The end of the value that begins at `from`.
template <class Find>
[[gnu::noinline]] std::size_t value_end(const Step& step, const Find& find, std::size_t from) {
  switch (step.ending) {
    case Ending::kRest:
      return find.line.size();
    case Ending::kSuffix:
      return find.line.substr(from).ends_with(step.literal) ? find.line.size() - step.literal.size()
                                                            : kNotFound;
    case Ending::kSearch:
      return find_literal(step, find, from);
    case Ending::kQuote: {
      std::size_t at = find_literal(step, find, from);
      while (at != kNotFound && escaped(find.line, from, at)) at = find_literal(step, find, at + 1);
      return at;
    }
    case Ending::kList: {
      std::size_t at = find_literal(step, find, from);
      while (at != kNotFound && inside_list(find.line.substr(from), at - from))
        at = find_literal(step, find, at + 1);
      return at;
    }
  }
  return kNotFound;
}

class NginxParser final : public RecordParser {
 public:
  NginxParser(RecordBuilder builder, std::string prefix, std::vector<Step> steps, Escape escape)
      : RecordParser(std::move(builder)),
        prefix_(std::move(prefix)),
        steps_(std::move(steps)),
        escape_(escape),
        wanted_(choose_wanted(steps_)),
        index_(wanted_) {
    for (Step& step : steps_) prepare(step);
    MUST(!steps_.empty() && steps_.back().last, "the last step ends at the line's end");
  }
  NginxParser(const NginxParser&) = delete;  // its steps point into its index
  NginxParser& operator=(const NginxParser&) = delete;

  [[nodiscard]] Outcome parse(std::string_view line, Record& out, Unparsed& reason) override {
    if (blank(line)) return Outcome::kSkip;
    const bool indexed = LineIndex::fits(line.size());
    const RareBytes rare = indexed ? index_.read(line) : rare_bytes(line.data(), line.data() + line.size());
    if (rare.nul) {
      reason = Unparsed::kBinary;
      return Outcome::kUnparsed;
    }
    reason = Unparsed::kNoMatch;
    if (!line.starts_with(prefix_)) return Outcome::kUnparsed;
    builder_.begin(out);
    if (!(indexed ? put_values(ByIndex{index_, line}, rare.backslash)
                  : put_values(BySearch{line}, rare.backslash)))
      return Outcome::kUnparsed;
    return finish(reason);
  }

 private:
  void prepare(Step& step) {
    step.literal_bytes = step.literal.size();
    MUST(step.last || !step.literal.empty(), "something stands between two variables");
    if (step.literal.empty()) return;
    MUST(step.wanted_at < step.literal.size(), "the byte that is looked for is one of the literal's");
    const auto size = std::min(step.literal.size(), sizeof step.word);
    std::memcpy(&step.word, step.literal.data(), size);
    std::memset(&step.word_mask, 0xFF, size);
    const auto slot = static_cast<std::size_t>(
        std::find(wanted_.begin(), wanted_.end(), step.literal[step.wanted_at]) - wanted_.begin());
    if (slot == wanted_.size()) return;
    step.bits = index_.words(slot).data();
    if (step.ending == Ending::kSearch) step.quick = Quick::kAlways;
    if (step.ending == Ending::kQuote) step.quick = Quick::kWithoutBackslashes;
  }

  // False: the line does not fit.
  template <class Find>
  bool put_values(const Find& find, bool backslashes) {
    const bool escapes = backslashes && escape_ != Escape::kNone;
    if (escapes) scratch_.begin(find.line.size());
    const auto quick = backslashes ? Quick::kAlways : Quick::kWithoutBackslashes;
    std::size_t at = prefix_.size();
    for (const Step& step : steps_) {
      std::size_t end = kNotFound;
      if constexpr (std::is_same_v<Find, ByIndex>) {
        // The fast path: it takes nearly every value of nearly every line.
        if (step.quick <= quick) {
          const auto found = find.index.next(step.bits, at + step.wanted_at);
          if (found != kNotFound && literal_at(step, find.line, found - step.wanted_at))
            end = found - step.wanted_at;
        }
      }
      if (end == kNotFound) {
        end = step.ending == Ending::kRest ? find.line.size() : value_end(step, find, at);
        if (end == kNotFound) return false;
      }
      MUST(at <= end && end + step.literal_bytes <= find.line.size(),
           "values stand in order, inside the line");
      std::string_view value(find.line.data() + at, end - at);
      if (escapes && std::memchr(value.data(), '\\', value.size()) != nullptr) {
        value = escape_ == Escape::kJson ? unescape_json(value, scratch_) : unescape_nginx(value, scratch_);
      }
      if (!builder_.put(step.field, value)) return false;
      at = end + step.literal_bytes;
    }
    return at == find.line.size();
  }

  std::string prefix_;
  std::vector<Step> steps_;
  Escape escape_;
  std::array<char, LineIndex::kSlots> wanted_;
  LineIndex index_;
  Scratch scratch_;
};

bool name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

// Reads the variable at `at` (a '$') and moves `at` past it.
Result<std::string_view> take_name(std::string_view text, std::size_t& at) {
  const std::size_t dollar = at++;
  const bool braces = at < text.size() && text[at] == '{';
  if (braces) ++at;
  const std::size_t first = at;
  while (at < text.size() && name_char(text[at])) ++at;
  const std::string_view name = text.substr(first, at - first);
  if (name.empty()) {
    return std::unexpected(error_at("\"$\" without the name of a variable", text, dollar,
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
      return std::unexpected(error_at("nothing between two variables", text, at,
                                      "put a character between them that occurs in neither value"));
    }
    const auto variable = nginx_variable(*name);
    if (variable && is_time(variable->meaning)) time = true;
    step.field = builder.field(*name, variable, true);
    if (!variable && step.field.extra < 0) {
      return std::unexpected(
          error_at("too many variables", text, variable_at,
                   fmt::format("at most {} variables that weir does not know", RecordBuilder::kMaxExtras)));
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
        "add e.g. \"$http_x_forwarded_for\" to the log_format, or name one of its variables in client_from");
  }
  return std::make_unique<NginxParser>(std::move(builder), prefix, std::move(steps), escape);
}

}  // namespace weir
