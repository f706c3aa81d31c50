#include "common/config_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>
#include <tuple>
#include <utility>

#include "common/config_tree.h"
#include "common/text.h"

namespace weir {
namespace {

constexpr std::size_t kMaxSecretBytes = 64 << 10;

void collect_unknown(ConfigTree& tree, const ConfigNode& table, const std::string& path) {
  for (const auto& [key, value] : table.members) {
    if (!table.asked.contains(key)) {
      const std::vector<std::string> known(table.asked.begin(), table.asked.end());
      const std::string near = nearest(key, known);
      tree.add_mistake(*value, join_key(path, key),
                       near.empty() ? fmt::format("unknown key; known here: {}", fmt::join(known, ", "))
                                    : fmt::format("unknown key; did you mean \"{}\"?", near));
      continue;
    }
    if (value->kind == ConfigKind::kTable && value->opened)
      collect_unknown(tree, *value, join_key(path, key));
    for (const auto& item : value->items) {
      if (item->kind == ConfigKind::kTable && item->opened) collect_unknown(tree, *item, join_key(path, key));
    }
  }
}

}  // namespace

struct ConfigTable::Impl {
  std::shared_ptr<ConfigTree> tree;
  ConfigNode* node = nullptr;
  std::unique_ptr<ConfigNode> absent;  // stands in for `node` when no file has the table
  std::string path;

  static std::shared_ptr<Impl> of(std::shared_ptr<ConfigTree> tree, ConfigNode& node, std::string path) {
    auto impl = std::make_shared<Impl>();
    impl->tree = std::move(tree);
    impl->node = &node;
    impl->path = std::move(path);
    node.opened = true;
    return impl;
  }

  ConfigNode* find(std::string_view key) {
    node->asked.emplace(key);
    const auto found = node->members.find(key);
    return found == node->members.end() ? nullptr : found->second.get();
  }

  void wrong_type(const ConfigNode& found, std::string_view key, std::string_view expected,
                  std::string_view example) {
    tree->add_mistake(
        found, join_key(path, key),
        fmt::format("expected {} such as {} = {}, found {}", expected, key, example, describe(found)));
  }

  std::optional<std::string> expanded(const ConfigNode& found, std::string_view key) {
    return expand_env(*tree, found, join_key(path, key));
  }

  void flatten(const ConfigNode& table, const std::string& prefix, const std::string& full_path,
               std::map<std::string, std::string>& out) {
    for (const auto& [key, value] : table.members) {
      const std::string name = join_key(prefix, key);
      const std::string full = join_key(full_path, key);
      if (value->kind == ConfigKind::kTable) {
        flatten(*value, name, full, out);
      } else if (value->kind == ConfigKind::kString) {
        if (std::optional<std::string> text = expand_env(*tree, *value, full)) out[name] = std::move(*text);
      } else if (value->kind == ConfigKind::kArray || value->kind == ConfigKind::kTime) {
        tree->add_mistake(
            *value, full,
            fmt::format("expected a string, a number or a boolean such as {} = \"text\", found {}", key,
                        describe(*value)));
      } else {
        out[name] = value->text;
      }
    }
  }
};

ConfigTable::ConfigTable(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
ConfigTable::~ConfigTable() = default;
ConfigTable::ConfigTable(ConfigTable&&) noexcept = default;
ConfigTable& ConfigTable::operator=(ConfigTable&&) noexcept = default;

bool ConfigTable::present() const { return impl_->node->present; }

bool ConfigTable::has(std::string_view key) { return impl_->find(key) != nullptr; }

std::string ConfigTable::string(std::string_view key, std::string_view fallback) {
  const ConfigNode* found = impl_->find(key);
  if (found == nullptr) return std::string(fallback);
  if (found->kind != ConfigKind::kString) {
    impl_->wrong_type(*found, key, "a string", "\"text\"");
    return std::string(fallback);
  }
  return impl_->expanded(*found, key).value_or(std::string(fallback));
}

std::string ConfigTable::verbatim(std::string_view key) {
  const ConfigNode* found = impl_->find(key);
  if (found == nullptr) return {};
  if (found->kind != ConfigKind::kString) {
    impl_->wrong_type(*found, key, "a string", "'text'");
    return {};
  }
  if (found->text.find('\0') != std::string::npos) {
    mistake(key, "has a NUL character (\\u0000); remove it");
    return {};
  }
  return found->text;
}

std::string ConfigTable::secret(std::string_view key) {
  const std::string file_key = fmt::format("{}_file", key);
  const ConfigNode* direct = impl_->find(key);
  const ConfigNode* from_file = impl_->find(file_key);
  if (direct != nullptr && from_file != nullptr) {
    mistake(file_key, fmt::format("set together with {}; keep one of them", key));
    return {};
  }
  if (direct != nullptr) {
    // The value is not repeated in the message: it may be the secret.
    if (direct->kind != ConfigKind::kString) {
      mistake(key,
              fmt::format("expected a string such as {} = \"${{PASSWORD}}\"; put quotes around it", key));
      return {};
    }
    return impl_->expanded(*direct, key).value_or("");
  }
  if (from_file == nullptr) return {};
  const std::string path = string(file_key);
  if (path.empty()) return {};
  Result<std::string> text = read_config_file(path_beside(path, from_file->file), kMaxSecretBytes);
  if (!text) {
    mistake(file_key, text.error().what);
    return {};
  }
  if (text->ends_with('\n')) text->pop_back();
  if (text->ends_with('\r')) text->pop_back();
  if (text->empty()) mistake(file_key, fmt::format("{} is empty", path));
  return std::move(*text);
}

bool ConfigTable::boolean(std::string_view key, bool fallback) {
  const ConfigNode* found = impl_->find(key);
  if (found == nullptr) return fallback;
  if (found->kind == ConfigKind::kBoolean) return found->boolean;
  impl_->wrong_type(*found, key, "true or false", "true");
  return fallback;
}

std::int64_t ConfigTable::integer(std::string_view key, std::int64_t fallback, std::int64_t min,
                                  std::int64_t max) {
  const ConfigNode* found = impl_->find(key);
  if (found == nullptr) return fallback;
  if (found->kind != ConfigKind::kInteger) {
    impl_->wrong_type(*found, key, "a whole number", fmt::format("{}", fallback));
    return fallback;
  }
  if (found->integer < min || found->integer > max) {
    mistake(key, fmt::format("{} is out of range; it may be {} to {}", found->integer, min, max));
    return fallback;
  }
  return found->integer;
}

std::optional<double> ConfigTable::optional_number(std::string_view key) {
  const ConfigNode* found = impl_->find(key);
  if (found == nullptr) return std::nullopt;
  if (found->kind != ConfigKind::kInteger && found->kind != ConfigKind::kNumber) {
    impl_->wrong_type(*found, key, "a number", "0.5");
    return std::nullopt;
  }
  if (!std::isfinite(found->number)) {
    mistake(key, "must be a finite number");
    return std::nullopt;
  }
  return found->number;
}

double ConfigTable::number(std::string_view key, double fallback) {
  return optional_number(key).value_or(fallback);
}

std::chrono::milliseconds ConfigTable::duration(std::string_view key, std::chrono::milliseconds fallback) {
  const ConfigNode* found = impl_->find(key);
  if (found == nullptr) return fallback;
  if (found->kind != ConfigKind::kString) {
    impl_->wrong_type(*found, key, "a duration in quotes", "\"5s\" (units ms, s, m, h, d)");
    return fallback;
  }
  const std::optional<std::string> text = impl_->expanded(*found, key);
  if (!text) return fallback;
  const Result<std::chrono::milliseconds> parsed = parse_duration(*text);
  if (parsed) return *parsed;
  mistake(key, fmt::format("{}; {}", parsed.error().what, parsed.error().hint));
  return fallback;
}

std::uint64_t ConfigTable::size(std::string_view key, std::uint64_t fallback) {
  const ConfigNode* found = impl_->find(key);
  if (found == nullptr) return fallback;
  if (found->kind == ConfigKind::kInteger) {
    if (found->integer >= 0) return static_cast<std::uint64_t>(found->integer);
    mistake(key, fmt::format("{} is out of range; a size is not negative", found->integer));
    return fallback;
  }
  if (found->kind != ConfigKind::kString) {
    impl_->wrong_type(*found, key, "a size", "\"1MiB\" (units B, kB, KiB, MB, MiB, GB, GiB)");
    return fallback;
  }
  const std::optional<std::string> text = impl_->expanded(*found, key);
  if (!text) return fallback;
  const Result<std::uint64_t> parsed = parse_size(*text);
  if (parsed) return *parsed;
  mistake(key, fmt::format("{}; {}", parsed.error().what, parsed.error().hint));
  return fallback;
}

std::vector<std::string> ConfigTable::strings(std::string_view key, std::vector<std::string> fallback) {
  const ConfigNode* found = impl_->find(key);
  if (found == nullptr) return fallback;
  if (found->kind != ConfigKind::kArray) {
    const std::string example = found->kind == ConfigKind::kString
                                    ? fmt::format("[\"{}\"]", visible(found->text.substr(0, 60)))
                                    : "[\"text\"]";
    impl_->wrong_type(*found, key, "an array of strings", example);
    return fallback;
  }
  std::vector<std::string> out;
  for (const auto& item : found->items) {
    if (item->kind != ConfigKind::kString) {
      impl_->wrong_type(*item, key, "an array of strings", "[\"text\"]");
    } else if (std::optional<std::string> text = impl_->expanded(*item, key)) {
      out.push_back(std::move(*text));
    }
  }
  return out;
}

std::vector<std::string> ConfigTable::texts(std::string_view key, std::vector<std::string> fallback) {
  const ConfigNode* found = impl_->find(key);
  if (found == nullptr || found->kind != ConfigKind::kString) return strings(key, std::move(fallback));
  return {string(key)};
}

std::map<std::string, std::string> ConfigTable::string_map(std::string_view key) {
  const ConfigNode* found = impl_->find(key);
  std::map<std::string, std::string> out;
  if (found == nullptr) return out;
  if (found->kind != ConfigKind::kTable) {
    impl_->wrong_type(*found, key, "a table", "{ name = \"text\" }");
    return out;
  }
  impl_->flatten(*found, "", join_key(impl_->path, key), out);
  return out;
}

ConfigTable ConfigTable::table(std::string_view key) {
  ConfigNode* found = impl_->find(key);
  const std::string path = join_key(impl_->path, key);
  if (found != nullptr && found->kind == ConfigKind::kTable) {
    return ConfigTable(Impl::of(impl_->tree, *found, path));
  }
  if (found != nullptr) {
    impl_->tree->add_mistake(*found, path,
                             fmt::format("expected a table such as [{}], found {}", path, describe(*found)));
  }
  auto absent = std::make_unique<ConfigNode>();
  absent->file = impl_->node->file;
  absent->line = found != nullptr ? found->line : impl_->node->line;
  absent->present = false;
  auto impl = Impl::of(impl_->tree, *absent, path);
  impl->absent = std::move(absent);
  return ConfigTable(std::move(impl));
}

std::vector<ConfigTable> ConfigTable::tables(std::string_view key) {
  std::vector<ConfigTable> out;
  ConfigNode* found = impl_->find(key);
  if (found == nullptr) return out;
  const std::string path = join_key(impl_->path, key);
  if (found->kind == ConfigKind::kArray && found->items.empty()) return out;
  if (!found->is_table_array()) {
    impl_->tree->add_mistake(
        *found, path,
        fmt::format(
            "expected tables that begin with [[{}]], found {}{}", path, describe(*found),
            found->kind == ConfigKind::kTable ? fmt::format(" [{}]: double the brackets", path) : ""));
    return out;
  }
  for (const auto& item : found->items) out.push_back(ConfigTable(Impl::of(impl_->tree, *item, path)));
  return out;
}

std::vector<std::pair<std::string, ConfigTable>> ConfigTable::named_tables(std::string_view key) {
  std::vector<std::pair<std::string, ConfigTable>> out;
  ConfigNode* found = impl_->find(key);
  if (found == nullptr) return out;
  const std::string path = join_key(impl_->path, key);
  if (found->kind != ConfigKind::kTable) {
    impl_->tree->add_mistake(
        *found, path, fmt::format("expected tables such as [{}.NAME], found {}", path, describe(*found)));
    return out;
  }
  for (const auto& [name, value] : found->members) {
    if (value->kind != ConfigKind::kTable) {
      impl_->tree->add_mistake(
          *value, join_key(path, name),
          fmt::format("expected a table such as [{}], found {}", join_key(path, name), describe(*value)));
      continue;
    }
    out.emplace_back(name, ConfigTable(Impl::of(impl_->tree, *value, join_key(path, name))));
  }
  return out;
}

std::string ConfigTable::text(std::string_view key, std::string_view fallback) {
  const ConfigNode* found = impl_->find(key);
  if (found == nullptr) return std::string(fallback);
  switch (found->kind) {
    case ConfigKind::kString:
      return impl_->expanded(*found, key).value_or(std::string(fallback));
    case ConfigKind::kInteger:
    case ConfigKind::kNumber:
    case ConfigKind::kBoolean:
      return found->text;
    case ConfigKind::kTable:
    case ConfigKind::kArray:
    case ConfigKind::kTime:
      break;
  }
  impl_->wrong_type(*found, key, "a string or a number", fmt::format("\"{}\"", fallback));
  return std::string(fallback);
}

void ConfigTable::require(std::string_view key) {
  if (impl_->find(key) == nullptr) {
    impl_->tree->add_mistake(*impl_->node, join_key(impl_->path, key), "missing; it has no default");
  }
}

void ConfigTable::mistake(std::string_view key, std::string what) {
  const auto& members = impl_->node->members;
  auto at = members.find(key);
  if (at == members.end()) at = members.find(fmt::format("{}_file", key));
  impl_->tree->add_mistake(at == members.end() ? *impl_->node : *at->second,
                           key.empty() ? impl_->path : join_key(impl_->path, key), std::move(what));
}

struct ConfigFile::Impl {
  std::shared_ptr<ConfigTree> tree = std::make_shared<ConfigTree>();
  std::optional<ConfigTable> root;
};

ConfigFile::ConfigFile() : impl_(std::make_unique<Impl>()) {}
ConfigFile::~ConfigFile() = default;
ConfigFile::ConfigFile(ConfigFile&&) noexcept = default;

Result<ConfigFile> ConfigFile::read(const std::string& path) {
  const Result<std::string> text = read_config_file(path, kMaxConfigFileBytes);
  if (!text) return std::unexpected(text.error());
  ConfigFile file;
  ConfigTree& tree = *file.impl_->tree;
  tree.root.file = path;
  std::error_code ignored;  // only identifies the file, to detect that it includes itself
  tree.including.push_back(std::filesystem::weakly_canonical(path, ignored).string());
  load_config_text(tree, *text, path, true);
  return file;
}

ConfigFile ConfigFile::from_text(std::string_view text, std::string name) {
  ConfigFile file;
  file.impl_->tree->root.file = name;
  load_config_text(*file.impl_->tree, text, name, false);
  return file;
}

ConfigTable& ConfigFile::root() {
  if (!impl_->root)
    impl_->root.emplace(ConfigTable(ConfigTable::Impl::of(impl_->tree, impl_->tree->root, "")));
  return *impl_->root;
}

std::vector<ConfigMistake> ConfigFile::finish() {
  ConfigTree& tree = *impl_->tree;
  std::vector<ConfigMistake> out;
  if (tree.syntax_error) {
    // What that file would have set is unknown, so messages such as "missing" would mislead.
    for (const ConfigMistake& mistake : tree.mistakes) {
      if (mistake.key.empty() || mistake.key == "include") out.push_back(mistake);
    }
  } else {
    collect_unknown(tree, tree.root, "");
    out = tree.mistakes;
  }
  const auto order = [](const ConfigMistake& m) { return std::tie(m.file, m.line, m.key, m.what); };
  std::sort(out.begin(), out.end(), [&](const auto& a, const auto& b) { return order(a) < order(b); });
  out.erase(
      std::unique(out.begin(), out.end(), [&](const auto& a, const auto& b) { return order(a) == order(b); }),
      out.end());
  return out;
}

}  // namespace weir
