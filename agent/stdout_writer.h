// stdout of the commands that print much: buffered, and quiet when nobody reads it any more.
#pragma once

#include <optional>
#include <string>

#include "proto/result.h"

namespace weir {

// Once nobody reads stdout, closed() is true and nothing else happens: `weir-agent parse | head`.
class StdoutWriter {
 public:
  StdoutWriter();  // SIGPIPE is ignored from now on
  [[nodiscard]] std::string& buffer() { return buffer_; }
  [[nodiscard]] bool closed() const { return closed_; }
  [[nodiscard]] const std::optional<Error>& error() const { return error_; }
  void flush();

 private:
  std::string buffer_;
  bool closed_ = false;
  std::optional<Error> error_;
};

}  // namespace weir
