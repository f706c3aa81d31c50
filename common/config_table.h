// Reads TOML configuration files into structs. Reports all mistakes at once, each with file, line, key and
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

// One table of the file. Asking for a key makes it a known key; ConfigFile::finish() reports the others.
// `${ENV}` in a string is replaced by the variable's value, and a missing variable is a mistake; "$${" gives
// a literal "${". secret("K") also accepts the key K_file, which names a file that contains the value.
class ConfigTable {
 public:
  ~ConfigTable();
  ConfigTable(ConfigTable&&) noexcept;
  ConfigTable& operator=(ConfigTable&&) noexcept;

  [[nodiscard]] bool has(std::string_view key);
  // If the key is absent, returns the fallback. If its type or value is wrong, adds a mistake and returns the
  // fallback.
  [[nodiscard]] std::string string(std::string_view key, std::string_view fallback = {});
  [[nodiscard]] std::string secret(std::string_view key);  // K or K_file
  // The string unchanged, including "${": a log_format has its own variables.
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
  // Accepts one string or an array of strings.
  [[nodiscard]] std::vector<std::string> texts(std::string_view key, std::vector<std::string> fallback = {});
  // All keys of a table of strings, none of them unknown. Numbers and booleans become text. Keys of nested
  // tables are joined by dots, so that `linger.ms = 5` needs no quotes.
  [[nodiscard]] std::map<std::string, std::string> string_map(std::string_view key);
  // Sub-tables. An absent one is empty and its present() returns false.
  [[nodiscard]] ConfigTable table(std::string_view key);
  [[nodiscard]] std::vector<ConfigTable> tables(std::string_view key);  // [[key]]
  [[nodiscard]] std::vector<std::pair<std::string, ConfigTable>> named_tables(
      std::string_view key);  // [key.NAME]
  [[nodiscard]] bool present() const;
  // The value as text ("all", 1), for keys that accept a number or a string.
  [[nodiscard]] std::string text(std::string_view key, std::string_view fallback = {});
  void require(std::string_view key);  // adds a mistake when the key is absent
  void mistake(std::string_view key, std::string what);

 private:
  friend class ConfigFile;
  struct Impl;
  explicit ConfigTable(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

class ConfigFile {
 public:
  // Reads the file and the files that its `include = ["conf.d/*.toml"]` names, relative to it. Arrays of
  // tables are appended and tables are merged; setting a value twice is a mistake. Errors: the file cannot be
  // read. Syntax errors are mistakes.
  [[nodiscard]] static Result<ConfigFile> read(const std::string& path);
  [[nodiscard]] static ConfigFile from_text(std::string_view text, std::string name);
  [[nodiscard]] ConfigTable& root();
  // Adds a mistake for each unknown key. Call it once every key was asked for. Sorted by file and line.
  [[nodiscard]] std::vector<ConfigMistake> finish();
  ~ConfigFile();
  ConfigFile(ConfigFile&&) noexcept;

 private:
  ConfigFile();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
