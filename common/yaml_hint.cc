#include "common/yaml_hint.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir {
namespace {

// Blank lines and "#" lines are valid in both.
enum class Look { kBoth, kYaml, kToml, kNeither };

bool key_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.' || c == '/' || c == '"' || c == '\'';
}

std::string_view trimmed(std::string_view line) {
  const auto first = line.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
}

Look look_of(std::string_view line) {
  line = trimmed(line);
  if (line.empty() || line.front() == '#' || line.starts_with("%YAML")) return Look::kBoth;
  if (line == "---" || line.starts_with("--- ") || line == "-" || line.starts_with("- ")) return Look::kYaml;
  if (line.front() == '[') return Look::kToml;
  const auto end = std::find_if_not(line.begin(), line.end(), key_character);
  const auto rest = trimmed(line.substr(static_cast<std::size_t>(end - line.begin())));
  if (end == line.begin()) return Look::kNeither;
  if (rest.starts_with('=')) return Look::kToml;
  return rest == ":" || rest.starts_with(": ") || rest.starts_with(":\t") ? Look::kYaml : Look::kNeither;
}

}  // namespace

std::string yaml_hint(std::string_view text) {
  std::size_t yaml = 0;
  std::size_t toml = 0;
  for (std::string_view rest = text.substr(text.starts_with("\xEF\xBB\xBF") ? 3 : 0); !rest.empty();) {
    const auto end = std::min(rest.find('\n'), rest.size());
    const Look look = look_of(rest.substr(0, end));
    yaml += look == Look::kYaml ? 1 : 0;
    toml += look == Look::kToml ? 1 : 0;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  if (yaml <= toml) return {};
  const bool filebeat = text.find("filebeat") != std::string_view::npos;
  return fmt::format("this is YAML{}; weir reads TOML: see docs/reference/{}",
                     filebeat ? " (a filebeat.yml?)" : "",
                     filebeat ? "agent-config.md" : "agent-config.md and aggregator-config.md");
}

}  // namespace weir
