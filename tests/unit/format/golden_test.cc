// Logs written by a real nginx (tests/data/format/generate), compared with what people read in them.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "agent/format/parser.h"

namespace weir {
namespace {

const std::string kFolder = std::string(WEIR_TEST_DATA) + "/format/";

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file.is_open()) << path;
  std::vector<std::string> out;
  for (std::string line; std::getline(file, line);) out.push_back(line);
  return out;
}

struct Golden {
  std::string name;
  FormatSpec format;
};

std::vector<Golden> goldens() {
  std::vector<Golden> out;
  for (const std::string& line : lines_of(kFolder + "formats.txt")) {
    const std::size_t first = line.find('\t');
    const std::size_t second = line.find('\t', first + 1);
    Golden golden{line.substr(0, first), {}};
    const std::string escape = line.substr(first + 1, second - first - 1);
    const std::string text = line.substr(second + 1);
    golden.format = escape == "named" ? named_format(text).value_or(FormatSpec{})
                                      : FormatSpec{FormatSpec::Kind::kNginx, text, escape};
    out.push_back(std::move(golden));
  }
  return out;
}

TEST(Golden, LinesOfARealNginx) {
  const auto all = goldens();
  ASSERT_EQ(all.size(), 7U);
  for (const Golden& golden : all) {
    SCOPED_TRACE(golden.name);
    const auto parser = compile_format(golden.format, {});
    ASSERT_TRUE(parser) << parser.error().what;
    const auto lines = lines_of(kFolder + golden.name + ".log");
    const auto expected = lines_of(kFolder + golden.name + ".jsonl");
    ASSERT_EQ(lines.size(), expected.size());
    ASSERT_GE(lines.size(), 30U);
    Record record;
    for (std::size_t i = 0; i < lines.size(); ++i) {
      Unparsed reason{};
      std::string json;
      if ((*parser)->parse(lines[i], record, reason) == LineParser::Outcome::kRecord) {
        append_json(json, record, (*parser)->extra_names());
      } else {
        append_json_unparsed(json, lines[i], reason);
      }
      EXPECT_EQ(json, expected[i]) << "line " << i + 1;
    }
  }
}

}  // namespace
}  // namespace weir
