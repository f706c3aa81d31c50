// The four kinds of parsers and their common code: errors, the first check of a line, finishing a record.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "agent/format/find_byte.h"
#include "agent/format/parser.h"
#include "agent/format/record_builder.h"

namespace weir {

// "WHAT at character N", the text, and a caret below the position. Long texts are cut around the caret.
[[nodiscard]] Error error_at(std::string_view what, std::string_view text, std::size_t at, std::string hint,
                             std::string_view subject = "format");

[[nodiscard]] Result<std::unique_ptr<LineParser>> compile_nginx(const FormatSpec& spec,
                                                                RecordBuilder builder);
[[nodiscard]] Result<std::unique_ptr<LineParser>> compile_regex(const FormatSpec& spec,
                                                                RecordBuilder builder);
[[nodiscard]] Result<std::unique_ptr<LineParser>> compile_json(const FormatSpec& spec, RecordBuilder builder);
[[nodiscard]] Result<std::unique_ptr<LineParser>> compile_w3c(const FormatSpec& spec, RecordBuilder builder);

// A parser that passes its values through a RecordBuilder. All parsers do.
class RecordParser : public LineParser {
 public:
  explicit RecordParser(RecordBuilder builder) : builder_(std::move(builder)) {}
  [[nodiscard]] const std::vector<std::string>& extra_names() const final { return builder_.extra_names(); }

 protected:
  // The last step of parse(), once every value is in the builder.
  [[nodiscard]] Outcome finish(Unparsed& reason) {
    if (builder_.finish()) return Outcome::kRecord;
    reason = Unparsed::kBadTime;
    return Outcome::kUnparsed;
  }

  RecordBuilder builder_;
};

// The check that every format runs first on a line. Any outcome except kRecord is final: there is nothing
// left to parse.
struct LineCheck {
  std::string_view line;  // without '\r'
  LineParser::Outcome outcome = LineParser::Outcome::kRecord;
  RareBytes rare;
};
// Removes every '\r' from the end of the line. Returns true if the line has no data.
[[nodiscard]] inline bool blank(std::string_view& line) {
  while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line.size() < 8 && line.find_first_not_of(" \t") == std::string_view::npos;
}
[[nodiscard]] LineCheck check_line(std::string_view line, Unparsed& reason);

}  // namespace weir
