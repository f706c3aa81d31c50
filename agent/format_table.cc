#include "agent/format_table.h"

#include <fmt/format.h>

namespace weir {

std::map<std::string, FormatSpec> read_formats(ConfigTable& root) {
  std::map<std::string, FormatSpec> formats;
  for (auto& [name, table] : root.named_tables("format")) {
    FormatSpec spec;
    int kinds = 0;
    if (table.has("nginx")) {
      ++kinds;
      spec.kind = FormatSpec::Kind::kNginx;
      spec.text = table.verbatim("nginx");
    }
    if (table.has("regex")) {
      ++kinds;
      spec.kind = FormatSpec::Kind::kRegex;
      spec.text = table.verbatim("regex");
    }
    if (table.boolean("json", false)) {
      ++kinds;
      spec.kind = FormatSpec::Kind::kJson;
    }
    if (table.boolean("w3c", false)) {
      ++kinds;
      spec.kind = FormatSpec::Kind::kW3c;
    }
    spec.escape = table.string("escape", "default");
    if (spec.escape != "default" && spec.escape != "json" && spec.escape != "none") {
      table.mistake(
          "escape",
          fmt::format("\"{}\" is not known; \"default\", \"json\" and \"none\" are, as in nginx's log_format",
                      spec.escape));
    } else if (kinds != 1) {
      table.mistake("", "needs exactly one of nginx = '…', regex = '…', json = true, w3c = true");
    } else if (const auto compiled = compile_format(spec, {}); !compiled) {
      table.mistake(
          spec.kind == FormatSpec::Kind::kRegex ? "regex" : "nginx",
          compiled.error().what + (compiled.error().hint.empty() ? "" : "\n" + compiled.error().hint));
    }
    formats[name] = std::move(spec);
  }
  return formats;
}

FormatSpec resolve_format(ConfigTable& table, std::string_view key, const std::string& name,
                          const std::map<std::string, FormatSpec>& formats) {
  if (const auto own = formats.find(name); own != formats.end()) return own->second;
  if (auto named = named_format(name)) return *named;
  std::vector<std::string> names = {"combined", "common", "main", "json", "w3c"};
  for (const auto& [known, spec] : formats) names.push_back(known);
  const auto close = nearest(name, names);
  table.mistake(key, fmt::format("format \"{}\" is not known; {}", name,
                                 close.empty() ? fmt::format("there are {}", fmt::join(names, ", "))
                                               : fmt::format("did you mean \"{}\"?", close)));
  return {};
}

}  // namespace weir
