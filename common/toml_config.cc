#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0

#include "common/toml_config.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <glob.h>
#include <sys/stat.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <tuple>
#include <utility>

#include "common/visible.h"

namespace weir {
namespace {

constexpr std::size_t kMaxFileBytes = 16 << 20;
constexpr std::size_t kMaxSecretBytes = 64 << 10;
constexpr int kMaxIncludeDepth = 8;
constexpr std::size_t kMaxFiles = 1000;

enum class Kind { kTable, kArray, kString, kInteger, kNumber, kBoolean, kTime };

// The files' values, merged into one tree that remembers where each came from and
// which keys were asked for.
struct Node {
  Kind kind = Kind::kTable;
  std::string file;
  std::uint32_t line = 0;
  bool present = true;
  std::string text;
  std::int64_t integer = 0;
  double number = 0;
  bool boolean = false;
  std::map<std::string, std::unique_ptr<Node>, std::less<>> members;
  std::vector<std::unique_ptr<Node>> items;
  std::set<std::string, std::less<>> asked;
  bool opened = false;  // somebody reads this table key by key: what is not asked for is unknown

  [[nodiscard]] bool is_table_array() const {
    return kind == Kind::kArray && !items.empty() &&
           std::all_of(items.begin(), items.end(),
                       [](const auto& item) { return item->kind == Kind::kTable; });
  }
};

std::string describe(const Node& node) {
  switch (node.kind) {
    case Kind::kTable:
      return "a table";
    case Kind::kArray:
      return node.is_table_array() ? "an array of tables" : "an array";
    case Kind::kString:
      return fmt::format("the string \"{}\"", visible(node.text.substr(0, 60)));
    case Kind::kInteger:
      return fmt::format("the integer {}", node.integer);
    case Kind::kNumber:
      return fmt::format("the number {}", node.number);
    case Kind::kBoolean:
      return fmt::format("the boolean {}", node.boolean);
    case Kind::kTime:
      return "a date or time";
  }
  return "something else";
}

std::unique_ptr<Node> convert(const toml::node& from, std::uint32_t line, const std::string& file) {
  auto out = std::make_unique<Node>();
  out->file = file;
  out->line = line;
  if (const toml::table* table = from.as_table()) {
    for (const auto& [key, value] : *table) {
      // A table's own line is its header's; a value's is its key's.
      const std::uint32_t at = value.is_table() && value.source().begin.line != 0 ? value.source().begin.line
                                                                                  : key.source().begin.line;
      out->members.emplace(std::string(key.str()), convert(value, at, file));
    }
  } else if (const toml::array* array = from.as_array()) {
    out->kind = Kind::kArray;
    for (const toml::node& item : *array) {
      out->items.push_back(convert(item, item.source().begin.line, file));
    }
  } else if (const auto* string = from.as_string()) {
    out->kind = Kind::kString;
    out->text = string->get();
  } else if (const auto* integer = from.as_integer()) {
    out->kind = Kind::kInteger;
    out->integer = integer->get();
    out->number = static_cast<double>(integer->get());
    out->text = fmt::format("{}", integer->get());
  } else if (const auto* number = from.as_floating_point()) {
    out->kind = Kind::kNumber;
    out->number = number->get();
    out->text = fmt::format("{}", number->get());
  } else if (const auto* boolean = from.as_boolean()) {
    out->kind = Kind::kBoolean;
    out->boolean = boolean->get();
    out->text = boolean->get() ? "true" : "false";
  } else {
    out->kind = Kind::kTime;
  }
  return out;
}

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  const auto cannot = [&path](std::string_view why, std::string hint) {
    return fail(Code::kIo, fmt::format("cannot read {}: {}", path, why), std::move(hint));
  };
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0) {
    return cannot(std::strerror(errno), "check the path and the permissions of the file and its directories");
  }
  if (S_ISDIR(status.st_mode)) return cannot("it is a directory", "name a file in it");
  errno = 0;
  std::ifstream stream(path, std::ios::binary);
  if (!stream) {
    return cannot(std::strerror(errno == 0 ? EIO : errno),
                  "check the path and the permissions of the file and its directories");
  }
  std::string text;
  char block[65536];
  while (stream.read(block, sizeof(block)), stream.gcount() > 0) {
    text.append(block, static_cast<std::size_t>(stream.gcount()));
    if (text.size() > max_bytes) {
      return cannot(fmt::format("it is larger than {} bytes", max_bytes), "is it the file that you meant?");
    }
  }
  if (stream.bad()) return cannot("reading failed", {});
  return text;
}

std::string join(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : fmt::format("{}.{}", path, key);
}

std::string resolve(const std::string& path, const std::string& beside) {
  if (path.starts_with('/')) return path;
  return (std::filesystem::path(beside).parent_path() / path).string();
}

bool name_character(char c, bool first) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || (!first && c >= '0' && c <= '9');
}

struct Context {
  Node root;
  std::vector<ConfigMistake> mistakes;
  bool syntax_error = false;
  std::size_t files = 0;
  std::vector<std::string> including;  // the files being read, outermost first

  void add(const Node& at, std::string key, std::string what) {
    mistakes.push_back({at.file, at.line, std::move(key), std::move(what)});
  }
};

// `${ENV}` replaced; nullopt and a mistake when that is not possible.
std::optional<std::string> expand(Context& context, const Node& node, const std::string& key) {
  const std::string& text = node.text;
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    if (text.compare(i, 3, "$${") == 0) {
      out += "${";
      i += 3;
      continue;
    }
    if (text.compare(i, 2, "${") != 0) {
      out += text[i++];
      continue;
    }
    std::size_t end = i + 2;
    while (end < text.size() && name_character(text[end], end == i + 2)) ++end;
    if (end == i + 2 || end >= text.size() || text[end] != '}') {
      context.add(
          node, key,
          "\"${\" begins the name of an environment variable, as in \"${NAME}\"; write \"$${\" for the two "
          "characters themselves");
      return std::nullopt;
    }
    const std::string name = text.substr(i + 2, end - i - 2);
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) {
      context.add(
          node, key,
          fmt::format(
              "the environment variable {} is not set; set it, or write \"$${{{}}}\" for the text itself",
              name, name));
      return std::nullopt;
    }
    out += value;
    i = end + 1;
  }
  if (out.find('\0') != std::string::npos) {
    context.add(node, key, "has a NUL character (\\u0000); remove it");
    return std::nullopt;
  }
  return out;
}

void merge(Context& context, Node& into, Node&& from, const std::string& path) {
  for (auto& [key, value] : from.members) {
    const auto found = into.members.find(key);
    if (found == into.members.end()) {
      into.members.emplace(key, std::move(value));
      continue;
    }
    Node& old = *found->second;
    if (old.kind == Kind::kTable && value->kind == Kind::kTable) {
      merge(context, old, std::move(*value), join(path, key));
    } else if (old.is_table_array() && value->is_table_array()) {
      for (auto& item : value->items) old.items.push_back(std::move(item));
    } else {
      context.add(*value, join(path, key),
                  fmt::format("set twice: it is set in {}:{} too; keep one of them", old.file, old.line));
    }
  }
}

void load_text(Context& context, std::string_view text, const std::string& name, bool may_include);

void load_includes(Context& context, const Node& include) {
  if (include.kind != Kind::kArray) {
    context.add(include, "include",
                fmt::format("expected an array of file globs such as include = [\"conf.d/*.toml\"], found {}",
                            describe(include)));
    return;
  }
  for (const auto& item : include.items) {
    if (item->kind != Kind::kString) {
      context.add(*item, "include",
                  fmt::format("expected file globs such as \"conf.d/*.toml\", found {}", describe(*item)));
      continue;
    }
    const std::optional<std::string> pattern = expand(context, *item, "include");
    if (!pattern) continue;
    glob_t found{};
    errno = 0;
    const int outcome = ::glob(resolve(*pattern, include.file).c_str(), GLOB_ERR, nullptr, &found);
    const std::vector<std::string> paths(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    ::globfree(&found);
    const bool is_glob = pattern->find_first_of("*?[") != std::string::npos;
    // A conf.d that nobody made yet is as good as an empty one.
    const bool nothing = outcome == GLOB_NOMATCH || (outcome == GLOB_ABORTED && errno == ENOENT);
    if (nothing && !is_glob) {
      context.add(*item, "include", fmt::format("there is no file {}", resolve(*pattern, include.file)));
    } else if (outcome != 0 && !nothing) {
      context.add(
          *item, "include",
          fmt::format("cannot look for {}: {}", resolve(*pattern, include.file), std::strerror(errno)));
    }
    for (const std::string& path : paths) {
      const std::string canonical = std::filesystem::weakly_canonical(path).string();
      if (std::find(context.including.begin(), context.including.end(), canonical) !=
          context.including.end()) {
        context.add(*item, "include", fmt::format("{} includes itself", path));
      } else if (static_cast<int>(context.including.size()) >= kMaxIncludeDepth ||
                 context.files >= kMaxFiles) {
        context.add(*item, "include",
                    fmt::format("too many files: at most {} inside each other and {} in all",
                                kMaxIncludeDepth, kMaxFiles));
        return;
      } else if (const Result<std::string> text = read_file(path, kMaxFileBytes)) {
        context.including.push_back(canonical);
        load_text(context, *text, path, true);
        context.including.pop_back();
      } else {
        context.add(*item, "include", text.error().what);
      }
    }
  }
}

void load_text(Context& context, std::string_view text, const std::string& name, bool may_include) {
  ++context.files;
  toml::parse_result parsed = toml::parse(text, std::string_view(name));
  if (!parsed) {
    const toml::parse_error& error = parsed.error();
    context.syntax_error = true;
    context.mistakes.push_back(
        {name, error.source().begin.line, "",
         fmt::format("not TOML (column {}): {}", error.source().begin.column, error.description())});
    return;
  }
  std::unique_ptr<Node> tree = convert(parsed.table(), 0, name);
  std::unique_ptr<Node> include;
  if (const auto found = tree->members.find("include"); may_include && found != tree->members.end()) {
    include = std::move(found->second);
    tree->members.erase(found);
  }
  merge(context, context.root, std::move(*tree), "");
  if (include) load_includes(context, *include);
}

void collect_unknown(Context& context, const Node& table, const std::string& path) {
  for (const auto& [key, value] : table.members) {
    if (!table.asked.contains(key)) {
      const std::vector<std::string> known(table.asked.begin(), table.asked.end());
      const std::string near = nearest(key, known);
      context.add(*value, join(path, key),
                  near.empty() ? fmt::format("unknown key; known here: {}", fmt::join(known, ", "))
                               : fmt::format("unknown key; did you mean \"{}\"?", near));
      continue;
    }
    if (value->kind == Kind::kTable && value->opened) collect_unknown(context, *value, join(path, key));
    for (const auto& item : value->items) {
      if (item->kind == Kind::kTable && item->opened) collect_unknown(context, *item, join(path, key));
    }
  }
}

}  // namespace

std::string ConfigMistake::text() const {
  std::string out = visible(file);
  if (line != 0) out += fmt::format(":{}", line);
  out += ": ";
  if (!key.empty()) out += visible(key) + ": ";
  return out + visible(what, true);
}

struct ConfigTable::Impl {
  std::shared_ptr<Context> context;
  Node* node = nullptr;
  std::unique_ptr<Node> absent;  // what `node` is when the files have no such table
  std::string path;

  static std::shared_ptr<Impl> of(std::shared_ptr<Context> context, Node& node, std::string path) {
    auto impl = std::make_shared<Impl>();
    impl->context = std::move(context);
    impl->node = &node;
    impl->path = std::move(path);
    node.opened = true;
    return impl;
  }

  Node* find(std::string_view key) {
    node->asked.emplace(key);
    const auto found = node->members.find(key);
    return found == node->members.end() ? nullptr : found->second.get();
  }

  void wrong_type(const Node& found, std::string_view key, std::string_view expected,
                  std::string_view example) {
    context->add(
        found, join(path, key),
        fmt::format("expected {} such as {} = {}, found {}", expected, key, example, describe(found)));
  }

  std::optional<std::string> expanded(const Node& found, std::string_view key) {
    return expand(*context, found, join(path, key));
  }

  void flatten(const Node& table, const std::string& prefix, const std::string& full_path,
               std::map<std::string, std::string>& out) {
    for (const auto& [key, value] : table.members) {
      const std::string name = join(prefix, key);
      const std::string full = join(full_path, key);
      if (value->kind == Kind::kTable) {
        flatten(*value, name, full, out);
      } else if (value->kind == Kind::kString) {
        if (std::optional<std::string> text = expand(*context, *value, full)) out[name] = std::move(*text);
      } else if (value->kind == Kind::kArray || value->kind == Kind::kTime) {
        context->add(*value, full,
                     fmt::format("expected a string, a number or a boolean such as {} = \"text\", found {}",
                                 key, describe(*value)));
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
  const Node* found = impl_->find(key);
  if (found == nullptr) return std::string(fallback);
  if (found->kind != Kind::kString) {
    impl_->wrong_type(*found, key, "a string", "\"text\"");
    return std::string(fallback);
  }
  return impl_->expanded(*found, key).value_or(std::string(fallback));
}

std::string ConfigTable::verbatim(std::string_view key) {
  const Node* found = impl_->find(key);
  if (found == nullptr) return {};
  if (found->kind != Kind::kString) {
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
  const Node* direct = impl_->find(key);
  const Node* from_file = impl_->find(file_key);
  if (direct != nullptr && from_file != nullptr) {
    mistake(file_key, fmt::format("set together with {}; keep one of them", key));
    return {};
  }
  if (direct != nullptr) {
    // What was found is not repeated here: it may be the secret.
    if (direct->kind != Kind::kString) {
      mistake(key,
              fmt::format("expected a string such as {} = \"${{PASSWORD}}\"; put quotes around it", key));
      return {};
    }
    return impl_->expanded(*direct, key).value_or("");
  }
  if (from_file == nullptr) return {};
  const std::string path = string(file_key);
  if (path.empty()) return {};
  Result<std::string> text = read_file(resolve(path, from_file->file), kMaxSecretBytes);
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
  const Node* found = impl_->find(key);
  if (found == nullptr) return fallback;
  if (found->kind == Kind::kBoolean) return found->boolean;
  impl_->wrong_type(*found, key, "true or false", "true");
  return fallback;
}

std::int64_t ConfigTable::integer(std::string_view key, std::int64_t fallback, std::int64_t min,
                                  std::int64_t max) {
  const Node* found = impl_->find(key);
  if (found == nullptr) return fallback;
  if (found->kind != Kind::kInteger) {
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
  const Node* found = impl_->find(key);
  if (found == nullptr) return std::nullopt;
  if (found->kind != Kind::kInteger && found->kind != Kind::kNumber) {
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
  const Node* found = impl_->find(key);
  if (found == nullptr) return fallback;
  if (found->kind != Kind::kString) {
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
  const Node* found = impl_->find(key);
  if (found == nullptr) return fallback;
  if (found->kind == Kind::kInteger) {
    if (found->integer >= 0) return static_cast<std::uint64_t>(found->integer);
    mistake(key, fmt::format("{} is out of range; a size is not negative", found->integer));
    return fallback;
  }
  if (found->kind != Kind::kString) {
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
  const Node* found = impl_->find(key);
  if (found == nullptr) return fallback;
  if (found->kind != Kind::kArray) {
    const std::string example = found->kind == Kind::kString
                                    ? fmt::format("[\"{}\"]", visible(found->text.substr(0, 60)))
                                    : "[\"text\"]";
    impl_->wrong_type(*found, key, "an array of strings", example);
    return fallback;
  }
  std::vector<std::string> out;
  for (const auto& item : found->items) {
    if (item->kind != Kind::kString) {
      impl_->wrong_type(*item, key, "an array of strings", "[\"text\"]");
    } else if (std::optional<std::string> text = impl_->expanded(*item, key)) {
      out.push_back(std::move(*text));
    }
  }
  return out;
}

std::map<std::string, std::string> ConfigTable::string_map(std::string_view key) {
  const Node* found = impl_->find(key);
  std::map<std::string, std::string> out;
  if (found == nullptr) return out;
  if (found->kind != Kind::kTable) {
    impl_->wrong_type(*found, key, "a table", "{ name = \"text\" }");
    return out;
  }
  impl_->flatten(*found, "", join(impl_->path, key), out);
  return out;
}

ConfigTable ConfigTable::table(std::string_view key) {
  Node* found = impl_->find(key);
  const std::string path = join(impl_->path, key);
  if (found != nullptr && found->kind == Kind::kTable) {
    return ConfigTable(Impl::of(impl_->context, *found, path));
  }
  if (found != nullptr) {
    impl_->context->add(*found, path,
                        fmt::format("expected a table such as [{}], found {}", path, describe(*found)));
  }
  auto absent = std::make_unique<Node>();
  absent->file = impl_->node->file;
  absent->line = found != nullptr ? found->line : impl_->node->line;
  absent->present = false;
  auto impl = Impl::of(impl_->context, *absent, path);
  impl->absent = std::move(absent);
  return ConfigTable(std::move(impl));
}

std::vector<ConfigTable> ConfigTable::tables(std::string_view key) {
  std::vector<ConfigTable> out;
  Node* found = impl_->find(key);
  if (found == nullptr) return out;
  const std::string path = join(impl_->path, key);
  if (found->kind == Kind::kArray && found->items.empty()) return out;
  if (!found->is_table_array()) {
    impl_->context->add(
        *found, path,
        fmt::format("expected tables that begin with [[{}]], found {}{}", path, describe(*found),
                    found->kind == Kind::kTable ? fmt::format(" [{}]: double the brackets", path) : ""));
    return out;
  }
  for (const auto& item : found->items) out.push_back(ConfigTable(Impl::of(impl_->context, *item, path)));
  return out;
}

std::vector<std::pair<std::string, ConfigTable>> ConfigTable::named_tables(std::string_view key) {
  std::vector<std::pair<std::string, ConfigTable>> out;
  Node* found = impl_->find(key);
  if (found == nullptr) return out;
  const std::string path = join(impl_->path, key);
  if (found->kind != Kind::kTable) {
    impl_->context->add(*found, path,
                        fmt::format("expected tables such as [{}.NAME], found {}", path, describe(*found)));
    return out;
  }
  for (const auto& [name, value] : found->members) {
    if (value->kind != Kind::kTable) {
      impl_->context->add(
          *value, join(path, name),
          fmt::format("expected a table such as [{}], found {}", join(path, name), describe(*value)));
      continue;
    }
    out.emplace_back(name, ConfigTable(Impl::of(impl_->context, *value, join(path, name))));
  }
  return out;
}

std::string ConfigTable::text(std::string_view key, std::string_view fallback) {
  const Node* found = impl_->find(key);
  if (found == nullptr) return std::string(fallback);
  switch (found->kind) {
    case Kind::kString:
      return impl_->expanded(*found, key).value_or(std::string(fallback));
    case Kind::kInteger:
    case Kind::kNumber:
    case Kind::kBoolean:
      return found->text;
    case Kind::kTable:
    case Kind::kArray:
    case Kind::kTime:
      break;
  }
  impl_->wrong_type(*found, key, "a string or a number", fmt::format("\"{}\"", fallback));
  return std::string(fallback);
}

void ConfigTable::require(std::string_view key) {
  if (impl_->find(key) == nullptr) {
    impl_->context->add(*impl_->node, join(impl_->path, key), "missing; it has no default");
  }
}

void ConfigTable::mistake(std::string_view key, std::string what) {
  const auto& members = impl_->node->members;
  auto at = members.find(key);
  if (at == members.end()) at = members.find(fmt::format("{}_file", key));
  impl_->context->add(at == members.end() ? *impl_->node : *at->second,
                      key.empty() ? impl_->path : join(impl_->path, key), std::move(what));
}

struct ConfigFile::Impl {
  std::shared_ptr<Context> context = std::make_shared<Context>();
  std::optional<ConfigTable> root;
};

ConfigFile::ConfigFile() : impl_(std::make_unique<Impl>()) {}
ConfigFile::~ConfigFile() = default;
ConfigFile::ConfigFile(ConfigFile&&) noexcept = default;

Result<ConfigFile> ConfigFile::read(const std::string& path) {
  const Result<std::string> text = read_file(path, kMaxFileBytes);
  if (!text) return std::unexpected(text.error());
  ConfigFile file;
  Context& context = *file.impl_->context;
  context.root.file = path;
  std::error_code ignored;  // only names the file for the check that it does not include itself
  context.including.push_back(std::filesystem::weakly_canonical(path, ignored).string());
  load_text(context, *text, path, true);
  return file;
}

ConfigFile ConfigFile::from_text(std::string_view text, std::string name) {
  ConfigFile file;
  file.impl_->context->root.file = name;
  load_text(*file.impl_->context, text, name, false);
  return file;
}

ConfigTable& ConfigFile::root() {
  if (!impl_->root)
    impl_->root.emplace(ConfigTable(ConfigTable::Impl::of(impl_->context, impl_->context->root, "")));
  return *impl_->root;
}

std::vector<ConfigMistake> ConfigFile::finish() {
  Context& context = *impl_->context;
  std::vector<ConfigMistake> out;
  if (context.syntax_error) {
    // What such a file would have set is not known, so "missing" and the like would mislead.
    for (const ConfigMistake& mistake : context.mistakes) {
      if (mistake.key.empty() || mistake.key == "include") out.push_back(mistake);
    }
  } else {
    collect_unknown(context, context.root, "");
    out = context.mistakes;
  }
  const auto order = [](const ConfigMistake& m) { return std::tie(m.file, m.line, m.key, m.what); };
  std::sort(out.begin(), out.end(), [&](const auto& a, const auto& b) { return order(a) < order(b); });
  out.erase(
      std::unique(out.begin(), out.end(), [&](const auto& a, const auto& b) { return order(a) == order(b); }),
      out.end());
  return out;
}

}  // namespace weir
