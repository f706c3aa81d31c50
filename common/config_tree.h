// The values of configuration files merged into one tree, each with its file and line. Internal to
// ConfigTable: it lies between the TOML parser and ConfigTable.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/config_mistake.h"
#include "proto/result.h"

namespace weir {

enum class ConfigKind { kTable, kArray, kString, kInteger, kNumber, kBoolean, kTime };

struct ConfigNode {
  ConfigKind kind = ConfigKind::kTable;
  std::string file;
  std::uint32_t line = 0;
  bool present = true;  // false: a placeholder of ConfigTable for a table that no file has
  std::string text;
  std::int64_t integer = 0;
  double number = 0;
  bool boolean = false;
  std::map<std::string, std::unique_ptr<ConfigNode>, std::less<>> members;
  std::vector<std::unique_ptr<ConfigNode>> items;
  std::set<std::string, std::less<>> asked;  // the keys that were asked for
  bool opened = false;                       // read key by key, so that keys not asked for are unknown

  [[nodiscard]] bool is_table_array() const;
};

// "the string \"x\"", "an array of tables"
[[nodiscard]] std::string describe(const ConfigNode& node);

struct ConfigTree {
  ConfigNode root;
  std::vector<ConfigMistake> mistakes;
  bool syntax_error = false;
  std::size_t files = 0;
  std::vector<std::string> including;  // the files being read, outermost first

  void add_mistake(const ConfigNode& at, std::string key, std::string what) {
    mistakes.push_back({at.file, at.line, std::move(key), std::move(what)});
  }
};

// Adds the content of a file and, with `may_include`, of the files that it includes. Errors become mistakes.
void load_config_text(ConfigTree& tree, std::string_view text, const std::string& name, bool may_include);

// The string with `${ENV}` replaced. If that is impossible, adds a mistake and returns nothing.
[[nodiscard]] std::optional<std::string> expand_env(ConfigTree& tree, const ConfigNode& node,
                                                    const std::string& key);

// Reads a whole file. Errors: kIo.
[[nodiscard]] Result<std::string> read_config_file(const std::string& path, std::size_t max_bytes);
inline constexpr std::size_t kMaxConfigFileBytes = 16 << 20;

// Joins "output.kafka" and "topic" into "output.kafka.topic".
[[nodiscard]] std::string join_key(const std::string& path, std::string_view key);
// Resolves a path named in the file `beside`, relative to that file.
[[nodiscard]] std::string path_beside(const std::string& path, const std::string& beside);

}  // namespace weir
