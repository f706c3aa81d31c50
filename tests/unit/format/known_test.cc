// Each row of known.h keeps its promise, and the reference lists exactly these rows.
#include "agent/format/known.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <sstream>

namespace weir {
namespace {

std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> out;
  std::istringstream in{std::string(text)};
  for (std::string line; std::getline(in, line);) out.push_back(line);
  return out;
}

// The last line as `weir-agent parse` prints it.
std::string parsed(const FormatSpec& spec, const std::vector<std::string>& lines) {
  const auto parser = compile_format(spec, {});
  if (!parser) return parser.error().what;
  Record record;
  std::string json;
  for (const std::string& line : lines) {
    Unparsed reason{};
    json.clear();
    if ((*parser)->parse(line, record, reason) == LineParser::Outcome::kRecord)
      append_json(json, record, (*parser)->extra_names());
    else
      append_json_unparsed(json, line, reason);
  }
  return json;
}

TEST(KnownFormats, EachSampleGivesTheValuesOfItsRow) {
  ASSERT_FALSE(known_formats().empty());
  for (const KnownFormat& format : known_formats()) {
    SCOPED_TRACE(format.name);
    EXPECT_EQ(parsed(format.spec, lines_of(format.sample)), format.parsed);
    EXPECT_THAT(std::string(format.sample), testing::HasSubstr(std::string(format.mark)));
  }
}

TEST(KnownFormats, TheReferenceListsTheRows) {
  std::ifstream file(std::string(WEIR_SOURCE_DIR) + "/docs/reference/formats.md");
  std::stringstream text;
  text << file.rdbuf();
  std::string page = text.str();
  const auto begin = page.find("## Named formats");
  ASSERT_NE(begin, std::string::npos);
  page = page.substr(begin, page.find("\n## ", begin) - begin);
  std::vector<std::string> listed;
  for (const std::string& line : lines_of(page))
    if (line.starts_with("| `")) listed.push_back(line);
  std::vector<std::string> rows;
  for (const KnownFormat& format : known_formats())
    rows.push_back("| `" + std::string(format.name) + "` | " + std::string(format.description) + " |");
  EXPECT_EQ(listed, rows);
}

TEST(KnownFormats, NamesAreUniqueAndFound) {
  auto names = known_format_names();
  for (const std::string& name : names) {
    ASSERT_NE(find_known_format(name), nullptr);
    EXPECT_EQ(find_known_format(name)->name, name);
    EXPECT_TRUE(named_format(name));
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(std::adjacent_find(names.begin(), names.end()), names.end());
  EXPECT_EQ(find_known_format("nosuch"), nullptr);
  EXPECT_TRUE(named_format(kDefaultFormat));
}

TEST(KnownFormats, AnUnknownNameIsAnErrorThatListsTheRows) {
  const auto unknown = named_format("nosuch");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, Code::kNotFound);
  EXPECT_THAT(unknown.error().hint, testing::HasSubstr(known_format_list()));
}

}  // namespace
}  // namespace weir
