// Reads configuration files (TOML) into structs. Reports all mistakes at once, each with file, line, key and
// the nearest valid key. Used by both programs (docs/decisions/0002).
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/config_mistake.h"
#include "common/moment.h"
#include "common/nearest.h"
#include "proto/result.h"

namespace weir {

// "64KiB", "1MiB", "1MB", "512" (bytes).
[[nodiscard]] Result<std::uint64_t> parse_size(std::string_view text);

// One table of the file. A key is known once it was asked for; ConfigFile::finish() reports the others.
// `${ENV}` in a string is replaced by the variable's value; a missing variable is a mistake; "$${" is a
// literal
// "${". secret("K") also reads the key K_file, which names a file that has the value.
class ConfigTable {
 public:
  ~ConfigTable();
  ConfigTable(ConfigTable&&) noexcept;
  ConfigTable& operator=(ConfigTable&&) noexcept;

  [[nodiscard]] bool has(std::string_view key);
  // Absent: the fallback. Wrong type or value: adds a mistake and returns the fallback.
  [[nodiscard]] std::string string(std::string_view key, std::string_view fallback = {});
  [[nodiscard]] std::string secret(std::string_view key);  // K or K_file
  // The string unchanged, "${" included: a log_format has variables of its own.
  [[nodiscard]] std::string verbatim(std::string_view key);
  [[nodiscard]] bool boolean(std::string_view key, bool fallback);
  [[nodiscard]] std::int64_t integer(std::string_view key, std::int64_t fallback, std::int64_t min,
                                     std::int64_t max);
  [[nodiscard]] double number(std::string_view key, double fallback);
  [[nodiscard]] std::optional<double> optional_number(std::string_view key);
  [[nodiscard]] std::chrono::milliseconds duration(std::string_view key, std::chrono::milliseconds fallback);
  [[nodiscard]] std::uint64_t size(std::string_view key, std::uint64_t fallback);
  [[nodiscard]] std::vector<std::string> strings(std::string_view key,
                                                 std::vector<std::string> fallback = {});
  // A string, or an array of them.
  [[nodiscard]] std::vector<std::string> texts(std::string_view key, std::vector<std::string> fallback = {});
  // All keys of a table of strings; all are known. Numbers and booleans become text. Keys of inner tables are
  // joined by dots, so that `linger.ms = 5` needs no quotes.
  [[nodiscard]] std::map<std::string, std::string> string_map(std::string_view key);
  // Sub-tables. An absent one is empty, and its present() is false.
  [[nodiscard]] ConfigTable table(std::string_view key);
  [[nodiscard]] std::vector<ConfigTable> tables(std::string_view key);  // [[key]]
  [[nodiscard]] std::vector<std::pair<std::string, ConfigTable>> named_tables(
      std::string_view key);  // [key.NAME]
  [[nodiscard]] bool present() const;
  // The value as text ("all", 1): for keys that take a number or a string.
  [[nodiscard]] std::string text(std::string_view key, std::string_view fallback = {});
  void require(std::string_view key);  // a mistake when absent
  void mistake(std::string_view key, std::string what);

 private:
  friend class ConfigFile;
  struct Impl;
  explicit ConfigTable(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

class ConfigFile {
 public:
  // Reads the file and those that its `include = ["conf.d/*.toml"]` names, relative to the file. Arrays of
  // tables are appended, tables are merged, a value that is set twice is a mistake. Errors: the file cannot
  // be read. Syntax errors are mistakes.
  [[nodiscard]] static Result<ConfigFile> read(const std::string& path);
  [[nodiscard]] static ConfigFile from_text(std::string_view text, std::string name);
  [[nodiscard]] ConfigTable& root();
  // Call it after everything was asked for: it adds the unknown keys. Sorted by file and line.
  [[nodiscard]] std::vector<ConfigMistake> finish();
  ~ConfigFile();
  ConfigFile(ConfigFile&&) noexcept;

 private:
  ConfigFile();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
