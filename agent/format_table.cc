#include "agent/format_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "agent/format/known.h"
#include "agent/format/time_notation.h"
#include "common/nearest.h"

namespace weir {
namespace {

using Kind = FormatSpec::Kind;

// Reads the kind of format that `table` defines; nullopt if it does not define exactly one.
std::optional<FormatSpec> read_kind(ConfigTable& table, const std::string& name) {
  std::vector<FormatSpec> found;
  if (table.has("nginx")) found.push_back({.kind = Kind::kNginx, .text = table.verbatim("nginx")});
  if (table.has("regex")) found.push_back({.kind = Kind::kRegex, .text = table.verbatim("regex")});
  if (table.boolean("json", false)) found.push_back({.kind = Kind::kJson});
  if (table.boolean("w3c", false)) found.push_back({.kind = Kind::kW3c});
  if (table.has("profile")) found.push_back(resolve_format(table, "profile", table.string("profile"), {}));
  if (found.size() == 1) return found.front();
  table.mistake("", fmt::format("needs exactly one of nginx = '…', regex = '…', json = true, w3c = true, "
                                "profile = \"…\" in [format.{}]",
                                name));
  return std::nullopt;
}

void check_compiles(ConfigTable& table, const FormatSpec& spec) {
  const auto compiled = compile_format(spec, {});
  if (compiled) return;
  std::string_view key = "nginx";
  if (spec.kind == Kind::kRegex) key = "regex";
  if (spec.kind == Kind::kJson) key = "fields";
  if (!spec.time.empty() && !TimeNotation::compile(spec.time, spec.zone)) key = "time";
  const Error& error = compiled.error();
  table.mistake(key, error.what + (error.hint.empty() ? "" : "\n" + error.hint));
}

FormatSpec read_format(ConfigTable& table, const std::string& name) {
  const auto escape = table.string("escape", "default");
  const auto fields = table.string_map("fields");
  const auto time = table.verbatim("time");
  const auto zone = table.string("zone");
  const auto kind = read_kind(table, name);
  FormatSpec spec = kind.value_or(FormatSpec{});
  if (table.has("escape")) spec.escape = escape;
  for (const auto& [key, column] : fields) spec.fields[key] = column;
  if (!time.empty()) spec.time = time;
  if (!zone.empty()) spec.zone = zone;
  if (escape != "default" && escape != "json" && escape != "none") {
    table.mistake(
        "escape",
        fmt::format("\"{}\" is not known; use \"default\", \"json\" or \"none\", as in nginx's log_format",
                    escape));
  } else if (kind) {
    check_compiles(table, spec);
  }
  return spec;
}

}  // namespace

std::map<std::string, FormatSpec> read_formats(ConfigTable& root) {
  std::map<std::string, FormatSpec> formats;
  for (auto& [name, table] : root.named_tables("format")) formats[name] = read_format(table, name);
  return formats;
}

Result<FormatSpec> find_format(const std::string& name, const std::map<std::string, FormatSpec>& formats) {
  if (const auto own = formats.find(name); own != formats.end()) return own->second;
  if (auto named = named_format(name)) return named;
  std::vector<std::string> names = known_format_names();
  for (const auto& [known, spec] : formats) names.push_back(known);
  const auto close = nearest(name, names);
  return fail(Code::kNotFound, fmt::format("format \"{}\" is not known", name),
              close.empty() ? fmt::format("use one of {}, or give a [format.NAME]", fmt::join(names, ", "))
                            : fmt::format("did you mean \"{}\"?", close));
}

FormatSpec resolve_format(ConfigTable& table, std::string_view key, const std::string& name,
                          const std::map<std::string, FormatSpec>& formats) {
  auto found = find_format(name, formats);
  if (found) return std::move(*found);
  table.mistake(key, fmt::format("{}; {}", found.error().what, found.error().hint));
  return {};
}

}  // namespace weir
