#include "agent/stdout_writer.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>

namespace weir {

StdoutWriter::StdoutWriter() { std::signal(SIGPIPE, SIG_IGN); }  // so that a closed pipe returns EPIPE

void StdoutWriter::flush() {
  std::string_view rest = buffer_;
  while (!rest.empty() && !closed_) {
    const ssize_t written = write(STDOUT_FILENO, rest.data(), rest.size());
    if (written > 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
    } else if (errno != EINTR) {
      closed_ = true;
      if (errno != EPIPE) {
        error_ = Error{Code::kIo, fmt::format("stdout cannot be written: {}", std::strerror(errno)),
                       "free some space where the output goes"};
      }
    }
  }
  buffer_.clear();
}

}  // namespace weir
