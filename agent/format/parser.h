// Compiles a log format into a parser. Pure: text in, Records out.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/batch.h"
#include "proto/record.h"
#include "proto/result.h"

namespace weir {

// How to find the client's address behind a load balancer, as nginx's realip module does: if the peer is
// trusted, take the first header of `client_from` that the line has, and read it from the right, skipping
// trusted hops.
struct ClientConfig {
  std::vector<std::string> trusted_proxies;  // "10.0.0.0/8", "::1", "unix:"
  std::vector<std::string> client_from;      // "http_x_real_ip", "http_x_forwarded_for"
};

struct FormatSpec {
  enum class Kind { kNginx, kJson, kW3c, kRegex };
  Kind kind = Kind::kNginx;
  std::string text = {};           // the log_format string, or the RE2 pattern; empty for json, w3c
  std::string escape = "default";  // nginx: "default", "json", "none"
  // json: the meaning of keys, as in {"request.uri", "request_uri"}; keys of nested objects are joined by
  // dots. No other key fills a column that a key here fills. "": the key is ignored.
  std::map<std::string, std::string> fields = {};
  std::string time = {};  // json, regex: the notation of times that have none of their own (time_notation.h)
  std::string zone = {};  // with `time`: the UTC offset of times that do not state one; "" is UTC
  friend bool operator==(const FormatSpec&, const FormatSpec&) = default;
};

// The format of inputs that do not name one.
inline constexpr std::string_view kDefaultFormat = "combined";

class LineParser {
 public:
  virtual ~LineParser() = default;
  enum class Outcome {
    kRecord,    // `out` is filled
    kSkip,      // no data: a comment or directive line (W3C '#'), an empty line
    kUnparsed,  // the line does not fit; `reason` says why
  };
  // `line` is without its '\n'; a '\r' at its end is ignored.
  // Views in `out` are valid until the next call. Once warm, it allocates nothing per line.
  [[nodiscard]] virtual Outcome parse(std::string_view line, Record& out, Unparsed& reason) = 0;
  [[nodiscard]] virtual const std::vector<std::string>& extra_names() const = 0;
  // Whether '#' lines control how later lines are read. If so, a reader that starts in the middle of a file
  // first passes the '#' lines before that point to parse().
  [[nodiscard]] virtual bool reads_directives() const { return false; }
};

// The format of a row of known.h. Errors: kNotFound, with a list of the names.
[[nodiscard]] Result<FormatSpec> named_format(std::string_view name);
// Errors give the position of the mistake, with a caret line in `what`.
[[nodiscard]] Result<std::unique_ptr<LineParser>> compile_format(const FormatSpec& spec,
                                                                 const ClientConfig& client);

// Appends one JSON object without a newline. Names follow the Elastic Common Schema, or "nginx.*" and
// "weir.*" where it has none. `weir-agent parse` prints this object, and the json codec ships it.
void append_json(std::string& out, const Record& record, const std::vector<std::string>& extra_names);
// {"message": ..., "error.message": why}; bytes that are not UTF-8 become U+FFFD.
void append_json_unparsed(std::string& out, std::string_view line, std::string_view why);
inline void append_json_unparsed(std::string& out, std::string_view line, Unparsed reason) {
  append_json_unparsed(out, line, to_string(reason));
}

}  // namespace weir
