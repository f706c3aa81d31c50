#include "agent/format/nginx_syntax.h"

#include <fmt/format.h>

#include <algorithm>

namespace weir {
namespace {

constexpr std::size_t kMaxIncludeDepth = 16;
constexpr std::size_t kMaxBlockDepth = 64;
constexpr std::size_t kMaxFiles = 10'000;
constexpr std::size_t kMaxTextBytes = 64U << 20;
constexpr std::size_t kMaxDirectives = 1U << 20;

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash + 1);
}

// Reads one configuration. The limits apply to all its files together.
class Reader {
 public:
  Reader(const std::string& main_path, const NginxConfFiles& files)
      : prefix_(directory_of(main_path)), files_(files) {}

  [[nodiscard]] Result<void> read_file(const std::string& path, std::vector<NginxDirective>& into,
                                       std::size_t block_depth) {
    if (std::find(open_.begin(), open_.end(), path) != open_.end()) {
      return fail(Code::kInvalid, fmt::format("{} includes itself", path), "remove the include");
    }
    if (open_.size() >= kMaxIncludeDepth || ++file_count_ > kMaxFiles) {
      return fail(Code::kFull, fmt::format("{}: has too many includes", path),
                  fmt::format("at most {} deep and {} files are read", kMaxIncludeDepth, kMaxFiles));
    }
    auto text = files_.read(path);
    if (!text) return std::unexpected(text.error());
    text_bytes_ += text->size();
    if (text_bytes_ > kMaxTextBytes) {
      return fail(Code::kFull, fmt::format("{}: more than {} bytes of configuration", path, kMaxTextBytes));
    }
    open_.push_back(path);
    Cursor cursor{*text, path};
    auto done = read_block(cursor, into, block_depth, true);
    open_.pop_back();
    return done;
  }

 private:
  struct Cursor {
    std::string_view text;
    const std::string& file;
    std::size_t at = 0;
    std::uint32_t line = 1;
    [[nodiscard]] bool ended() const { return at >= text.size(); }
    [[nodiscard]] char peek() const { return text[at]; }
    char take() {
      const char c = text[at++];
      if (c == '\n') ++line;
      return c;
    }
  };

  [[nodiscard]] static std::unexpected<Error> syntax_error(const Cursor& cursor, std::uint32_t line,
                                                           std::string_view what) {
    return fail(Code::kInvalid, fmt::format("{}:{}: {}", cursor.file, line, what),
                "run `nginx -t` to see what nginx says about it");
  }

  static void skip_space(Cursor& cursor) {
    while (!cursor.ended()) {
      const char c = cursor.peek();
      if (c == '#') {
        while (!cursor.ended() && cursor.peek() != '\n') cursor.take();
      } else if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
        cursor.take();
      } else {
        return;
      }
    }
  }

  // nginx takes a backslash literally, inside and outside quotes, unless a quote, another backslash, t, r or
  // n follows.
  static void take_escaped(Cursor& cursor, std::string& word) {
    const char c = cursor.take();
    switch (c) {
      case 't':
        word.push_back('\t');
        break;
      case 'r':
        word.push_back('\r');
        break;
      case 'n':
        word.push_back('\n');
        break;
      case '"':
      case '\'':
      case '\\':
        word.push_back(c);
        break;
      default:
        word.push_back('\\');
        word.push_back(c);
    }
  }

  [[nodiscard]] static Result<std::string> take_word(Cursor& cursor) {
    std::string word;
    const std::uint32_t line = cursor.line;
    const char quote = cursor.peek();
    if (quote == '"' || quote == '\'') {
      cursor.take();
      while (!cursor.ended() && cursor.peek() != quote) {
        const char c = cursor.take();
        if (c == '\\' && !cursor.ended()) {
          take_escaped(cursor, word);
        } else {
          word.push_back(c);
        }
      }
      if (cursor.ended()) return syntax_error(cursor, line, "this quote is not closed");
      cursor.take();
      return word;
    }
    while (!cursor.ended()) {
      const char c = cursor.peek();
      if (c == '$' && cursor.at + 1 < cursor.text.size() && cursor.text[cursor.at + 1] == '{') {
        // The braces of "${name}" do not open a block.
        while (!cursor.ended() && cursor.peek() != '}' && cursor.peek() != '\n')
          word.push_back(cursor.take());
        if (!cursor.ended() && cursor.peek() == '}') word.push_back(cursor.take());
        continue;
      }
      if (c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ';' || c == '{') break;
      cursor.take();
      if (c == '\\' && !cursor.ended()) {
        take_escaped(cursor, word);
      } else {
        word.push_back(c);
      }
    }
    return word;
  }

  // Skips a block of Lua code, which does not have nginx's syntax, by tracking braces, strings and comments.
  [[nodiscard]] static Result<void> skip_lua(Cursor& cursor, std::uint32_t line) {
    std::size_t depth = 1;
    while (!cursor.ended()) {
      const char c = cursor.take();
      if (c == '{') {
        ++depth;
      } else if (c == '}') {
        if (--depth == 0) return {};
      } else if (c == '-' && !cursor.ended() && cursor.peek() == '-') {
        while (!cursor.ended() && cursor.peek() != '\n') cursor.take();
      } else if (c == '"' || c == '\'') {
        while (!cursor.ended() && cursor.peek() != c && cursor.peek() != '\n') {
          if (cursor.take() == '\\' && !cursor.ended()) cursor.take();
        }
        if (!cursor.ended()) cursor.take();
      }
    }
    return syntax_error(cursor, line, "this block is not closed by \"}\"");
  }

  [[nodiscard]] Result<void> read_block(Cursor& cursor, std::vector<NginxDirective>& into, std::size_t depth,
                                        bool whole_file) {
    const std::uint32_t first_line = cursor.line;
    if (depth > kMaxBlockDepth) return syntax_error(cursor, cursor.line, "blocks are nested too deeply");
    while (true) {
      skip_space(cursor);
      if (cursor.ended()) {
        if (whole_file) return {};
        return syntax_error(cursor, first_line, "this block is not closed by \"}\"");
      }
      if (cursor.peek() == '}') {
        if (whole_file) return syntax_error(cursor, cursor.line, "an unexpected \"}\"");
        cursor.take();
        return {};
      }
      if (auto done = read_directive(cursor, into, depth); !done) return done;
    }
  }

  [[nodiscard]] Result<void> read_directive(Cursor& cursor, std::vector<NginxDirective>& into,
                                            std::size_t depth) {
    if (++directive_count_ > kMaxDirectives) return syntax_error(cursor, cursor.line, "too many directives");
    NginxDirective directive;
    directive.file = cursor.file;
    directive.line = cursor.line;
    while (true) {
      skip_space(cursor);
      if (cursor.ended())
        return syntax_error(cursor, directive.line, "this directive is not closed by \";\"");
      const char c = cursor.peek();
      if (c == ';' || c == '{') {
        cursor.take();
        if (directive.words.empty()) {
          return syntax_error(cursor, directive.line, fmt::format("an unexpected \"{}\"", c));
        }
        if (c == ';') return add(std::move(directive), into, depth);
        directive.has_block = true;
        const auto done = directive.words.front().ends_with("_by_lua_block")
                              ? skip_lua(cursor, directive.line)
                              : read_block(cursor, directive.block, depth + 1, false);
        into.push_back(std::move(directive));
        return done;
      }
      auto word = take_word(cursor);
      if (!word) return std::unexpected(word.error());
      directive.words.push_back(std::move(*word));
    }
  }

  [[nodiscard]] Result<void> add(NginxDirective directive, std::vector<NginxDirective>& into,
                                 std::size_t depth) {
    if (directive.words.front() != "include") {
      into.push_back(std::move(directive));
      return {};
    }
    if (directive.words.size() != 2 || directive.words[1].empty()) {
      return fail(Code::kInvalid, fmt::format("{}: include takes one path", directive.where()),
                  "write: include FILE;");
    }
    std::string pattern = directive.words[1];
    if (pattern.front() != '/') pattern = prefix_ + pattern;
    const bool glob = pattern.find_first_of("*?[") != std::string::npos;
    // As in nginx, a glob may match nothing, but a plain path must exist.
    const auto paths = glob ? files_.glob(pattern) : std::vector<std::string>{pattern};
    for (const std::string& path : paths) {
      auto done = read_file(path, into, depth);
      if (!done) {
        Error error = done.error();
        if (error.code == Code::kNotFound || error.code == Code::kIo) {
          error.what = fmt::format("{}: {}", directive.where(), error.what);
        }
        return std::unexpected(std::move(error));
      }
    }
    return {};
  }

  std::string prefix_;
  const NginxConfFiles& files_;
  std::vector<std::string> open_;
  std::size_t file_count_ = 0;
  std::size_t text_bytes_ = 0;
  std::size_t directive_count_ = 0;
};

}  // namespace

std::string NginxDirective::where() const { return fmt::format("{}:{}", file, line); }

Result<std::vector<NginxDirective>> parse_nginx_syntax(const std::string& path, const NginxConfFiles& files) {
  std::vector<NginxDirective> out;
  Reader reader(path, files);
  if (auto done = reader.read_file(path, out, 0); !done) return std::unexpected(done.error());
  return out;
}

}  // namespace weir
