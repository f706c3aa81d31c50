// Errors as values. A small closed set of codes that programs branch on, and
// two sentences for the person who reads them: what failed, and what to do.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace weir {

enum class Code {
  kInvalid,      // the caller's or the operator's input is wrong; a retry cannot help
  kCorrupt,      // bytes that do not decode, a checksum that does not match
  kFull,         // a bound is reached; try again when something has drained
  kFenced,       // somebody else owns this now; drop the state and start over
  kUnavailable,  // a peer is away; try again later
  kNotFound,
  kIo,
};

struct Error {
  Code code;
  std::string what;  // "registry /var/lib/weir/registry: bad checksum at byte 4096"
  std::string hint;  // "restore it, or delete it: sources are found again by content"

  // Both in one line: "WHAT; HINT".
  [[nodiscard]] std::string sentence() const { return hint.empty() ? what : what + "; " + hint; }

  friend bool operator==(const Error&, const Error&) = default;
};

template <class T>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(Code code, std::string what, std::string hint = {}) {
  return std::unexpected<Error>(Error{code, std::move(what), std::move(hint)});
}

}  // namespace weir
