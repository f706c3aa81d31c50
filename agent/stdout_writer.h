// Buffered stdout for commands with a lot of output. Drops output once nobody reads it.
#pragma once

#include <optional>
#include <string>

#include "proto/result.h"

namespace weir {

// Once the reader of stdout is gone (as in `weir-agent parse
// head`), closed() is true and writes do nothing.
class StdoutWriter {
 public:
  StdoutWriter();  // ignores SIGPIPE from now on
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
