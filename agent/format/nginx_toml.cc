// Writes the output of `weir-agent discover`.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "agent/format/known.h"
#include "agent/format/nginx_conf.h"
#include "agent/format/parser.h"
#include "common/json_text.h"

namespace weir {
namespace {

std::string toml_string(std::string_view text) {
  // A literal string shows the text exactly as nginx.conf has it, but cannot hold quotes or control
  // characters.
  const bool literal = std::all_of(text.begin(), text.end(), [](char c) {
    return c != '\'' && static_cast<unsigned char>(c) >= 0x20 && static_cast<unsigned char>(c) < 0x7F;
  });
  if (literal) return fmt::format("'{}'", text);
  std::string out;
  append_json_string(out, text);  // JSON escapes are valid in TOML
  return out;
}

std::string toml_basic(std::string_view text) {
  std::string out;
  append_json_string(out, text);
  return out;
}

// The text for a comment: one line, without control characters.
std::string comment_text(std::string_view text) {
  std::string out;
  append_json_text(out, text);
  return out;
}

// Comments out a block that weir-agent would refuse.
std::string commented(std::string_view block) {
  std::string out;
  while (!block.empty()) {
    const auto end = std::min(block.find('\n'), block.size() - 1) + 1;
    const auto line = block.substr(0, end);
    out += line == "\n" || line.starts_with('#') ? "" : "# ";
    out += line;
    block.remove_prefix(end);
  }
  return out;
}

std::string toml_key(std::string_view name) {
  const bool bare = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
  });
  return bare ? std::string(name) : toml_basic(name);
}

// "/var/log/nginx/shop.access.log" -> "shop"; unique among those of `taken`.
std::string input_name(std::string_view path, std::set<std::string>& taken) {
  std::string_view base = path.substr(path.rfind('/') + 1);
  for (const std::string_view suffix : {".log", "access", "."}) {
    if (base.size() > suffix.size() && base.ends_with(suffix)) base.remove_suffix(suffix.size());
  }
  std::string name;
  for (const char c : base) {
    const bool good = std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.';
    if (good) name.push_back(c);
  }
  while (!name.empty() && (name.back() == '-' || name.back() == '_' || name.back() == '.')) name.pop_back();
  if (name.empty()) name = "nginx";
  const std::string first = name;
  for (int i = 2; !taken.insert(name).second; ++i) name = fmt::format("{}-{}", first, i);
  return name;
}

// The formats that the logs use, and the name of each in agent.toml.
class FormatTables {
 public:
  explicit FormatTables(const NginxLogs& logs) {
    for (const std::string& known : known_format_names()) taken_.insert(known);
    for (const NginxLogFormat& format : logs.formats) taken_.insert(format.name);
    for (const NginxLogFormat& format : logs.formats) {
      const auto uses = [&](const NginxAccessLog& log) { return log.format == format.name; };
      if (std::any_of(logs.logs.begin(), logs.logs.end(), uses)) add(format);
    }
  }
  [[nodiscard]] const std::string& text() const { return text_; }
  // nginx's default needs no table.
  [[nodiscard]] std::string name_of(const std::string& nginx_name) const {
    const auto at = names_.find(nginx_name);
    return at == names_.end() ? std::string(kDefaultFormat) : at->second;
  }
  // Whether weir-agent refuses the format. Its table is then a comment.
  [[nodiscard]] bool refused(const std::string& nginx_name) const { return refused_.contains(nginx_name); }

 private:
  void add(const NginxLogFormat& format) {
    std::string name = format.name;
    if (const auto known = named_format(name)) {
      if (known->kind == FormatSpec::Kind::kNginx && known->text == format.text &&
          known->escape == format.escape) {
        names_[format.name] = name;
        return;
      }
      // weir-agent already uses this name for another format.
      name = "nginx_" + name;
      while (!taken_.insert(name).second) name += "_";
    }
    names_[format.name] = name;
    const FormatSpec spec{FormatSpec::Kind::kNginx, format.text, format.escape};
    std::string block = fmt::format("[format.{}]\nnginx = {}\n", toml_key(name), toml_string(format.text));
    if (format.escape != "default") block += fmt::format("escape = {}\n", toml_basic(format.escape));
    if (const auto compiled = compile_format(spec, {}); !compiled) {
      refused_.insert(format.name);
      const std::string_view what = compiled.error().what;
      text_ += fmt::format("# not read: {}\n", comment_text(what.substr(0, what.find('\n'))));
      text_ += fmt::format("# {}\n", comment_text(compiled.error().hint));
      block = commented(block);
    }
    text_ += block + "\n";
  }

  std::string text_;
  std::map<std::string, std::string> names_;  // nginx's name -> agent.toml's
  std::set<std::string> refused_;             // nginx's names
  std::set<std::string> taken_;
};

// Notes that an operator should read before the log is followed.
std::string log_comments(const NginxAccessLog& log, const NginxLogs& logs) {
  std::string out = log.where.empty() ? "# nginx's default: no access_log says otherwise\n"
                                      : fmt::format("# {}\n", comment_text(log.where));
  if (!log.server_names.empty()) {
    constexpr std::size_t kShown = 20;
    out += "# server_name";
    for (std::size_t i = 0; i < log.server_names.size() && i < kShown; ++i)
      out += " " + comment_text(log.server_names[i]);
    if (log.server_names.size() > kShown)
      out += fmt::format(" and {} more", log.server_names.size() - kShown);
    out += "\n";
  }
  if (!log.condition.empty())
    out += fmt::format("# if={}: nginx leaves requests out of this log\n", comment_text(log.condition));
  if (log.compressed)
    out += "# gzip: nginx compresses this log while it writes; follow an uncompressed one\n";
  const auto shared = [&](const NginxAccessLog& other) {
    return other.path == log.path && other.format != log.format;
  };
  if (std::any_of(logs.logs.begin(), logs.logs.end(), shared))
    out += "# this file gets lines of more than one format: give each format its own file\n";
  return out;
}

}  // namespace

std::string inputs_toml(const NginxLogs& logs) {
  std::string out;
  for (const std::string& sentence : logs.skipped)
    out += fmt::format("# not followed: {}\n", comment_text(sentence));
  if (!logs.skipped.empty()) out += "\n";
  const FormatTables formats(logs);
  out += formats.text();
  std::set<std::string> inputs;
  for (const NginxAccessLog& log : logs.logs) {
    out += log_comments(log, logs);
    const std::string block = fmt::format("[[input]]\nname = {}\npaths = [{}]\nformat = {}\n",
                                          toml_basic(input_name(log.path, inputs)), toml_basic(log.path),
                                          toml_basic(formats.name_of(log.format)));
    if (formats.refused(log.format))
      out += "# not followed: its format is not read, see above\n" + commented(block) + "\n";
    else
      out += block + "\n";
  }
  if (out.ends_with("\n\n")) out.pop_back();
  return out;
}

}  // namespace weir
