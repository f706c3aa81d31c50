// Receives the lines that a LineReader reads. The reader makes a few calls per block, none per line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir {

class LineSink {
 public:
  virtual ~LineSink() = default;
  // Takes whole lines from the start of `bytes` until content_bytes() reaches `limit_bytes`, the sink is
  // full, or a line begins with NUL, which may be a hole. Of a line longer than `max_line` it examines only
  // that many bytes. Returns how many bytes it took. `bytes` is valid during the call only.
  virtual std::size_t add_lines(std::string_view bytes, std::uint64_t limit_bytes,
                                std::uint64_t max_line) = 0;
  // One line of `line_bytes`. It may lack its '\n' if it is the last line of a finished file.
  virtual void add_line(std::string_view line, std::uint32_t line_bytes) = 0;
  // A line longer than max_line: its beginning and its total size.
  virtual void add_cut(std::string_view head, std::uint32_t line_bytes) = 0;
  // NULs at the start of a line, where a writer without O_APPEND left a hole.
  virtual void add_hole(std::uint32_t hole_bytes) = 0;
  // No line can be added until the sink starts its next batch.
  [[nodiscard]] virtual bool full() const = 0;
  // How many bytes of the file were added.
  [[nodiscard]] virtual std::uint64_t content_bytes() const = 0;
};

}  // namespace weir
