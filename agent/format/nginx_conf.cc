#include "agent/format/nginx_conf.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "agent/format/nginx_syntax.h"

namespace weir {
namespace {

// Replaces "$name" and "${name}" in a path by '*'.
std::string path_glob(std::string_view path) {
  std::string out;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] != '$') {
      out.push_back(path[i]);
      continue;
    }
    if (i + 1 < path.size() && path[i + 1] == '{') {
      i = std::min(path.find('}', i), path.size() - 1);
    } else {
      while (i + 1 < path.size() &&
             (std::isalnum(static_cast<unsigned char>(path[i + 1])) != 0 || path[i + 1] == '_'))
        ++i;
    }
    if (!out.ends_with('*')) out.push_back('*');
  }
  return out;
}

class LogCollector {
 public:
  explicit LogCollector(const NginxPlaces& places) : places_(places) {}

  [[nodiscard]] Result<NginxLogs> collect(const std::vector<NginxDirective>& root) {
    for (const NginxDirective& directive : root) {
      const std::string& name = directive.words.front();
      if (name == "http") {
        if (auto done = read_http(directive); !done) return std::unexpected(done.error());
      } else if (name == "stream" || name == "mail") {
        note_other_logs(directive, name);
      }
    }
    for (const NginxAccessLog& log : out_.logs) {
      const bool known = log.format == "combined" ||
                         std::any_of(out_.formats.begin(), out_.formats.end(),
                                     [&](const NginxLogFormat& format) { return format.name == log.format; });
      if (!known) {
        return fail(Code::kInvalid,
                    fmt::format("{}: access_log uses the format \"{}\", which no log_format defines",
                                log.where, log.format),
                    "run `nginx -t` to see what nginx says about it");
      }
    }
    return std::move(out_);
  }

 private:
  using Indexes = std::vector<std::size_t>;  // into out_.logs

  [[nodiscard]] Result<void> read_http(const NginxDirective& http) {
    for (const NginxDirective& directive : http.block) {
      if (directive.words.front() != "log_format") continue;
      if (auto done = read_format(directive); !done) return done;
    }
    const auto own = logs_of(http);
    if (!own) return std::unexpected(own.error());
    bool any_server = false;
    for (const NginxDirective& directive : http.block) {
      if (directive.words.front() != "server" || !directive.has_block) continue;
      any_server = true;
      if (auto done = read_server(directive, *own); !done) return done;
    }
    if (!any_server && !*own) (void)default_log();
    return {};
  }

  [[nodiscard]] Result<void> read_server(const NginxDirective& server,
                                         const std::optional<Indexes>& inherited) {
    std::vector<std::string> names;
    for (const NginxDirective& directive : server.block) {
      if (directive.words.front() != "server_name") continue;
      for (std::size_t i = 1; i < directive.words.size(); ++i) {
        if (!directive.words[i].empty() && directive.words[i] != "_") names.push_back(directive.words[i]);
      }
    }
    auto own = logs_of(server);
    if (!own) return std::unexpected(own.error());
    const bool inherits = !*own;
    Indexes logs;
    if (!inherits) {
      logs = **own;
    } else if (inherited) {
      logs = *inherited;
    } else {
      logs.push_back(default_log());
    }
    for (const std::size_t log : logs) add_names(log, names);
    return read_inner(server, names);
  }

  // Reads location, if and limit_except blocks, at any depth.
  [[nodiscard]] Result<void> read_inner(const NginxDirective& parent, const std::vector<std::string>& names) {
    for (const NginxDirective& directive : parent.block) {
      if (!directive.has_block) continue;
      const auto own = logs_of(directive);
      if (!own) return std::unexpected(own.error());
      if (*own) {
        for (const std::size_t log : **own) add_names(log, names);
      }
      if (auto done = read_inner(directive, names); !done) return done;
    }
    return {};
  }

  [[nodiscard]] Result<void> read_format(const NginxDirective& directive) {
    if (directive.words.size() < 3) {
      return fail(Code::kInvalid, fmt::format("{}: log_format needs a name and a string", directive.where()),
                  "run `nginx -t` to see what nginx says about it");
    }
    NginxLogFormat format;
    format.name = directive.words[1];
    std::size_t first = 2;
    if (directive.words[2].starts_with("escape=")) {
      format.escape = directive.words[2].substr(7);
      first = 3;
    }
    for (std::size_t i = first; i < directive.words.size(); ++i) format.text += directive.words[i];
    const auto same = [&](const NginxLogFormat& other) { return other.name == format.name; };
    if (std::any_of(out_.formats.begin(), out_.formats.end(), same)) {
      return fail(Code::kInvalid,
                  fmt::format("{}: log_format \"{}\" is defined twice", directive.where(), format.name),
                  "run `nginx -t` to see what nginx says about it");
    }
    out_.formats.push_back(std::move(format));
    return {};
  }

  // The logs that the block itself names. nullopt: it names none and inherits those of its parent.
  [[nodiscard]] Result<std::optional<Indexes>> logs_of(const NginxDirective& block) {
    std::optional<Indexes> out;
    bool off = false;
    for (const NginxDirective& directive : block.block) {
      if (directive.words.front() != "access_log" || directive.has_block) continue;
      if (directive.words.size() < 2) {
        return fail(Code::kInvalid, fmt::format("{}: access_log needs a path", directive.where()),
                    "run `nginx -t` to see what nginx says about it");
      }
      if (!out) out.emplace();
      if (directive.words.size() == 2 && directive.words[1] == "off") {
        off = true;
        continue;
      }
      if (const auto log = read_log(directive)) out->push_back(*log);
    }
    if (off && out) out->clear();
    return out;
  }

  [[nodiscard]] std::optional<std::size_t> read_log(const NginxDirective& directive) {
    const std::string& path = directive.words[1];
    if (path.starts_with("syslog:")) {
      out_.skipped.push_back(
          fmt::format("{}: {} goes to syslog; weir-agent reads files; let nginx write a file as well",
                      directive.where(), path));
      return std::nullopt;
    }
    if (path == "/dev/null") return std::nullopt;
    if (path.starts_with("/dev/")) {
      out_.skipped.push_back(
          fmt::format("{}: {} is not a file that can be read again; let nginx write one as well",
                      directive.where(), path));
      return std::nullopt;
    }
    NginxAccessLog log;
    log.path = absolute(path_glob(path));
    log.format = "combined";
    log.where = directive.where();
    for (std::size_t i = 2; i < directive.words.size(); ++i) {
      const std::string& word = directive.words[i];
      if (word.starts_with("if=")) {
        log.condition = word.substr(3);
      } else if (word == "gzip" || word.starts_with("gzip=")) {
        log.compressed = true;
      } else if (word.starts_with("buffer=") || word.starts_with("flush=")) {
        continue;
      } else if (i == 2) {
        log.format = word;
      }
    }
    return add_log(std::move(log));
  }

  [[nodiscard]] std::string absolute(const std::string& path) const {
    if (path.starts_with('/')) return path;
    return places_.log_prefix + (places_.log_prefix.ends_with('/') ? "" : "/") + path;
  }

  [[nodiscard]] std::size_t default_log() {
    NginxAccessLog log;
    log.path = places_.default_log;
    log.format = "combined";
    return add_log(std::move(log));
  }

  // Logs with the same path and format are the same file, which is followed once.
  [[nodiscard]] std::size_t add_log(NginxAccessLog log) {
    const auto [at, fresh] = seen_.try_emplace({log.path, log.format}, out_.logs.size());
    if (fresh) {
      out_.logs.push_back(std::move(log));
    } else {
      NginxAccessLog& known = out_.logs[at->second];
      // This access_log is unconditional, so the file gets every request.
      if (log.condition.empty()) known.condition.clear();
      known.compressed = known.compressed || log.compressed;
    }
    return at->second;
  }

  void add_names(std::size_t log, const std::vector<std::string>& names) {
    std::vector<std::string>& known = out_.logs[log].server_names;
    for (const std::string& name : names) {
      if (std::find(known.begin(), known.end(), name) == known.end()) known.push_back(name);
    }
  }

  void note_other_logs(const NginxDirective& block, std::string_view kind) {
    for (const NginxDirective& directive : block.block) {
      if (directive.words.front() == "access_log" && directive.words.size() > 1 &&
          directive.words[1] != "off") {
        out_.skipped.push_back(
            fmt::format("{}: {} is a log of {}, not of requests; to follow it, write a [format.NAME] for it",
                        directive.where(), directive.words[1], kind));
      }
      note_other_logs(directive, kind);
    }
  }

  const NginxPlaces& places_;
  NginxLogs out_;
  std::map<std::pair<std::string, std::string>, std::size_t> seen_;
};

}  // namespace

Result<NginxLogs> read_nginx_conf(const std::string& path, const NginxPlaces& places,
                                  const NginxConfFiles& files) {
  const auto root = parse_nginx_syntax(path, files);
  if (!root) return std::unexpected(root.error());
  return LogCollector(places).collect(*root);
}

}  // namespace weir
