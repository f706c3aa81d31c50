#include "agent/format/foreign_json.h"

#include <simdjson.h>

#include "common/json_text.h"

namespace weir {

bool append_foreign_object(std::string& out, std::string_view text) {
  const auto begin = text.find_first_not_of(" \t\r\n");
  if (begin == std::string_view::npos || text[begin] != '{') return false;
  simdjson::dom::parser parser;
  if (parser.parse(text.data(), text.size()).error() != simdjson::SUCCESS) return false;
  std::string minified(text.size(), '\0');
  std::size_t size = 0;
  if (simdjson::minify(text.data(), text.size(), minified.data(), size) != simdjson::SUCCESS) return false;
  append_shown_json(out, std::string_view(minified).substr(0, size));
  return true;
}

}  // namespace weir
