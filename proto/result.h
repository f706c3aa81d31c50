// Errors as values: a small closed set of codes for programs to branch on, and two sentences for the reader,
// one saying what failed and one saying what to do.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace weir {

enum class Code {
  kInvalid,      // the caller's or operator's input is wrong; a retry cannot help
  kCorrupt,      // bytes do not decode, or a checksum does not match
  kFull,         // a limit is reached; try again once something has drained
  kFenced,       // another owner has taken over; drop the state and start over
  kUnavailable,  // a peer does not answer; try again later
  kNotFound,
  kIo,
};

struct Error {
  Code code;
  std::string what;  // "registry /var/lib/weir/registry: bad checksum at byte 4096"
  std::string hint;  // "restore it, or delete it: sources are found again by content"

  // Both on one line: "WHAT; HINT".
  [[nodiscard]] std::string sentence() const { return hint.empty() ? what : what + "; " + hint; }

  friend bool operator==(const Error&, const Error&) = default;
};

template <class T>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(Code code, std::string what, std::string hint = {}) {
  return std::unexpected<Error>(Error{code, std::move(what), std::move(hint)});
}

}  // namespace weir
