// The four kinds of parsers, and the errors they share.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "agent/format/find_byte.h"
#include "agent/format/parser.h"
#include "agent/format/record_builder.h"

namespace weir {

// "WHAT at character N" with the text and a caret below it. Long texts are cut around the caret.
[[nodiscard]] Error error_at(std::string_view what, std::string_view text, std::size_t at, std::string hint);

[[nodiscard]] Result<std::unique_ptr<LineParser>> compile_nginx(const FormatSpec& spec,
                                                                RecordBuilder builder);
[[nodiscard]] Result<std::unique_ptr<LineParser>> compile_regex(const FormatSpec& spec,
                                                                RecordBuilder builder);
[[nodiscard]] Result<std::unique_ptr<LineParser>> make_json_parser(RecordBuilder builder);
[[nodiscard]] Result<std::unique_ptr<LineParser>> make_w3c_parser(const FormatSpec& spec,
                                                                  RecordBuilder builder);

// What every format does first with a line: nothing left to parse is an outcome already.
struct LineCheck {
  std::string_view line;  // without '\r'
  LineParser::Outcome outcome = LineParser::Outcome::kRecord;
  RareBytes rare;
};
// Takes '\r's off the line's end. True: a line without data.
[[nodiscard]] inline bool blank(std::string_view& line) {
  while (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line.size() < 8 && line.find_first_not_of(" \t") == std::string_view::npos;
}
[[nodiscard]] LineCheck check_line(std::string_view line, Unparsed& reason);

}  // namespace weir
