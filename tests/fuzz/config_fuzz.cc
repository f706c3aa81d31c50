// Arbitrary TOML as either program's configuration: every mistake is one line with its position, and reading
// it again finds the same mistakes.
#include "agent/config.h"
#include "aggregator/config.h"
#include "tests/fuzz/require.h"

namespace {

using weir::testing::require;

void check(const std::vector<weir::ConfigMistake>& mistakes, const std::vector<weir::ConfigMistake>& again) {
  require(mistakes.size() == again.size(), "reading twice finds the same mistakes");
  for (std::size_t i = 0; i < mistakes.size(); ++i) {
    require(!mistakes[i].what.empty(), "a mistake says what is wrong");
    require(mistakes[i].text() == again[i].text(), "reading twice finds the same mistakes");
    for (const char c : mistakes[i].text())
      require(static_cast<unsigned char>(c) >= 0x20 || c == '\n', "no control characters on a terminal");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  // password_file and similar keys name files; a fuzzer must not open files with made-up names.
  if (text.find("_file") != std::string::npos || text.find("\\u") != std::string::npos ||
      text.find("\\U") != std::string::npos)
    return 0;
  const auto file = [&] { return weir::ConfigFile::from_text(text, "f.toml"); };
  check(weir::parse_agent_config(file()).mistakes, weir::parse_agent_config(file()).mistakes);
  check(weir::parse_aggregator_config(file()).mistakes, weir::parse_aggregator_config(file()).mistakes);
  return 0;
}
