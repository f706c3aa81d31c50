// Streaming decompression of rotated logs: .gz, .zst and .bz2 behind one interface. Pure:
// bytes in, bytes out, no files.
//
// The input may consist of several members (gzip), frames (zstd) or streams (bzip2), with zeros as padding
// between and after them. Skippable zstd frames are skipped. The output does not depend on how the input and
// the output are split, up to the first damage (how much of a damaged bzip2 block comes out may vary). Memory
// is bounded: 64 KiB for gzip, 4 MiB for bzip2, and the frame's window for zstd, at most 128 MiB.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "proto/result.h"

namespace weir {

enum class Compression : std::uint8_t { kNone, kGzip, kZstd, kBzip2 };

// By the path's suffix: .gz, .zst, .bz2.
[[nodiscard]] Compression compression_of(std::string_view path);

// By the magic bytes at the start of a file. kCompressionMagicBytes are always enough.
// kNone: not one of the three, or too few bytes to decide.
inline constexpr std::size_t kCompressionMagicBytes = 10;
[[nodiscard]] Compression looks_compressed(std::string_view first_bytes);

// A zstd frame with a larger window is refused, because decoding takes as much memory as the window.
inline constexpr int kMaxZstdWindowLog = 27;  // 128 MiB

class Decompressor {
 public:
  struct Progress {
    std::size_t consumed = 0;  // bytes taken from the front of the input
    std::size_t produced = 0;  // bytes written to the output
    // All input is consumed and more is needed. If there is none, the input is truncated, unless member_ended
    // is set.
    bool needs_input = false;
    // The input so far ends with a complete member (or its padding), so it may end here.
    bool member_ended = false;
  };

  // `name` is the path of the input, for errors. kNone copies the input.
  // Errors: kIo (no memory).
  [[nodiscard]] static Result<std::unique_ptr<Decompressor>> create(Compression compression,
                                                                    std::string name);
  ~Decompressor();
  Decompressor(const Decompressor&) = delete;
  Decompressor& operator=(const Decompressor&) = delete;

  // Runs until `out` is full or `in` is used up. Call it again with the bytes that were not consumed.
  // `out_size` > 0. With an empty `in` it returns output held back from earlier input. An error is returned
  // after all output that precedes it, and again by every call until reset(): kCorrupt (damaged, or another
  // compression), kInvalid (a window above the limit, a dictionary), kIo (no memory).
  [[nodiscard]] Result<Progress> run(std::string_view in, char* out, std::size_t out_size);

  // Resets all state. The next input is the start of a file.
  void reset();

  [[nodiscard]] Compression compression() const;

 private:
  Decompressor();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
