// The four kinds of parsers, and what they share: errors, the first look at a line, the end of a record.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "agent/format/find_byte.h"
#include "agent/format/parser.h"
#include "agent/format/record_builder.h"

namespace weir {

// "WHAT at character N" with the text and a caret below it. Long texts are cut around the caret.
[[nodiscard]] Error error_at(std::string_view what, std::string_view text, std::size_t at, std::string hint,
                             std::string_view subject = "format");

[[nodiscard]] Result<std::unique_ptr<LineParser>> compile_nginx(const FormatSpec& spec,
                                                                RecordBuilder builder);
[[nodiscard]] Result<std::unique_ptr<LineParser>> compile_regex(const FormatSpec& spec,
                                                                RecordBuilder builder);
[[nodiscard]] Result<std::unique_ptr<LineParser>> compile_json(const FormatSpec& spec, RecordBuilder builder);
[[nodiscard]] Result<std::unique_ptr<LineParser>> compile_w3c(const FormatSpec& spec, RecordBuilder builder);

// A parser whose values go through a RecordBuilder, as all do.
class RecordParser : public LineParser {
 public:
  explicit RecordParser(RecordBuilder builder) : builder_(std::move(builder)) {}
  [[nodiscard]] const std::vector<std::string>& extra_names() const final { return builder_.extra_names(); }

 protected:
  // Ends parse() once every value is in the builder.
  [[nodiscard]] Outcome finish(Unparsed& reason) {
    if (builder_.finish()) return Outcome::kRecord;
    reason = Unparsed::kBadTime;
    return Outcome::kUnparsed;
  }

  RecordBuilder builder_;
};

// What every format does first with a line. An outcome other than kRecord is final: nothing is left to parse.
struct LineCheck {
  std::string_view line;  // without '\r'
  LineParser::Outcome outcome = LineParser::Outcome::kRecord;
  RareBytes rare;
};
// Removes '\r's from the line's end. True: the line has no data.
[[nodiscard]] inline bool blank(std::string_view& line) {
  while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line.size() < 8 && line.find_first_not_of(" \t") == std::string_view::npos;
}
[[nodiscard]] LineCheck check_line(std::string_view line, Unparsed& reason);

}  // namespace weir
