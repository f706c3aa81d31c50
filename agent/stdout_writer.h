// Buffered stdout for commands with much output. Stays quiet once nobody reads it.
#pragma once

#include <optional>
#include <string>

#include "proto/result.h"

namespace weir {

// When the reader of stdout is gone (`weir-agent parse | head`), closed() is true and writes do nothing.
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
