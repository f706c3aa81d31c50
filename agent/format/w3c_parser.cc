// Parses the W3C extended log format (CloudFront, IIS, other CDNs). A "#Fields:" line defines the columns.
#include <algorithm>

#include "agent/format/compile.h"
#include "agent/format/values.h"

namespace weir {
namespace {

// The extra columns, which are always present: a batch needs fixed names, but "#Fields:" may change within
// one batch. Other columns are dropped.
constexpr std::array<std::string_view, 14> kExtras{"x_edge_location",
                                                   "x_edge_response_result_type",
                                                   "x_edge_detailed_result_type",
                                                   "c_port",
                                                   "c_country",
                                                   "sc_content_type",
                                                   "sc_content_len",
                                                   "sc_range_start",
                                                   "sc_range_end",
                                                   "time_to_first_byte",
                                                   "cs_cookie",
                                                   "s_ip",
                                                   "s_port",
                                                   "sc_substatus"};

class W3cParser final : public RecordParser {
 public:
  explicit W3cParser(RecordBuilder builder) : RecordParser(std::move(builder)) {
    for (const std::string_view name : kExtras) extras_.push_back(builder_.field(name, std::nullopt, true));
  }

  // "date time c-ip ...", with or without "#Fields:".
  void set_fields(std::string_view names) {
    columns_.clear();
    cloudfront_ = names.find("x-edge-") != std::string_view::npos;
    while (!names.empty() && columns_.size() < kMaxColumns) {
      const std::size_t begin = names.find_first_not_of(" \t");
      if (begin == std::string_view::npos) break;
      const std::size_t end = std::min(names.find_first_of(" \t", begin), names.size());
      columns_.push_back(column(names.substr(begin, end - begin)));
      names.remove_prefix(end);
    }
  }

  [[nodiscard]] Outcome parse(std::string_view line, Record& out, Unparsed& reason) override {
    const LineCheck check = check_line(line, reason);
    if (check.outcome != Outcome::kRecord) return check.outcome;
    std::string_view rest = check.line;
    if (rest.starts_with("\xEF\xBB\xBF#")) rest.remove_prefix(3);
    if (rest.front() == '#') {
      constexpr std::string_view kFields = "#Fields:";
      if (rest.starts_with(kFields)) set_fields(rest.substr(kFields.size()));
      return Outcome::kSkip;
    }
    reason = Unparsed::kNoMatch;
    if (columns_.empty()) return Outcome::kUnparsed;
    const bool tabs = rest.find('\t') != std::string_view::npos;
    scratch_.begin(2 * rest.size());  // a user agent is sometimes decoded twice
    builder_.begin(out);
    std::size_t at = 0;
    bool more = true;
    for (; more && at < columns_.size(); ++at) {
      std::string_view value = take(rest, tabs, more);
      if (columns_[at].decode) value = decoded(value, tabs);
      if (!builder_.put(columns_[at].field, value)) return Outcome::kUnparsed;
    }
    // Fewer columns mean a truncated line. With tabs, more columns are allowed, because CDNs append new ones.
    if (at < columns_.size()) return Outcome::kUnparsed;
    if (more && !tabs) return Outcome::kUnparsed;
    return finish(reason);
  }

  [[nodiscard]] bool reads_directives() const override { return true; }

 private:
  static constexpr std::size_t kMaxColumns = 256;
  struct Column {
    RecordBuilder::Field field;
    bool decode = false;
  };

  Column column(std::string_view name) {
    std::array<char, 128> buffer{};
    std::string_view normal = normal_name(name, buffer);
    // The table holds the names as logs write them, but in lower case.
    std::string lower(name.substr(0, buffer.size()));
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    auto variable = w3c_variable(lower);
    if (variable && variable->meaning == Meaning::kSecondsOrMilliseconds && cloudfront_) {
      variable->meaning = Meaning::kSeconds;
    }
    if (lower.starts_with("cs(") && lower.ends_with(')')) {
      normal = normal_name("cs_" + lower.substr(3, lower.size() - 4), buffer);
    }
    Column out;
    const auto known = std::find(kExtras.begin(), kExtras.end(), normal);
    if (!variable && known != kExtras.end()) {
      out.field = extras_[static_cast<std::size_t>(known - kExtras.begin())];
    } else {
      // In client_from, "cs(X-Real-IP)" has the name "http_x_real_ip".
      const std::string header =
          normal.starts_with("cs_x_") ? std::string(normal.substr(3)) : std::string(normal);
      out.field = builder_.field(header, variable, false);
    }
    out.decode = variable && variable->meaning == Meaning::kText &&
                 (variable->text == Text::kUserAgent || variable->text == Text::kReferrer);
    return out;
  }

  // Takes the next value. `more` is false if it was the last one.
  static std::string_view take(std::string_view& rest, bool tabs, bool& more) {
    if (!tabs && rest.starts_with('"')) {
      const std::size_t close = rest.find('"', 1);
      if (close != std::string_view::npos && (close + 1 == rest.size() || rest[close + 1] == ' ')) {
        const std::string_view value = rest.substr(1, close - 1);
        more = close + 1 < rest.size();
        rest.remove_prefix(std::min(close + 2, rest.size()));
        return value;
      }
    }
    const std::size_t end = rest.find(tabs ? '\t' : ' ');
    more = end != std::string_view::npos;
    const std::string_view value = rest.substr(0, end);
    rest = more ? rest.substr(end + 1) : std::string_view{};
    return value;
  }

  // CloudFront writes %20 for a space (%2520 in old logs), IIS writes '+'.
  std::string_view decoded(std::string_view value, bool tabs) {
    if (value.find('%') != std::string_view::npos) {
      value = decode_percent(value, scratch_);
      if (cloudfront_ && value.find("%20") != std::string_view::npos &&
          value.find(' ') == std::string_view::npos) {
        value = decode_percent(value, scratch_);
      }
    } else if (!tabs && value.find('+') != std::string_view::npos) {
      value = scratch_.take(std::replace_copy(value.begin(), value.end(), scratch_.end(), '+', ' '));
    }
    return value;
  }

  std::vector<RecordBuilder::Field> extras_;
  std::vector<Column> columns_;
  bool cloudfront_ = false;
  Scratch scratch_;
};

}  // namespace

Result<std::unique_ptr<LineParser>> compile_w3c(const FormatSpec& spec, RecordBuilder builder) {
  auto parser = std::make_unique<W3cParser>(std::move(builder));
  std::string_view names = spec.text;
  constexpr std::string_view kFields = "#Fields:";
  if (names.starts_with(kFields)) names.remove_prefix(kFields.size());
  parser->set_fields(names);
  return parser;
}

}  // namespace weir
