// The bytes of one open file, decompressed when it is a .gz: read forward from an offset.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "proto/result.h"

namespace weir {

// What a descriptor's file is, as fstat tells it.
struct FileFacts {
  std::uint64_t device = 0, inode = 0;
  std::uint64_t size_bytes = 0;  // on disk
  std::int64_t modified_ms = 0;
  std::uint64_t links = 0;
};

class Content {
 public:
  // Errors: kNotFound, kIo (what the system said), kInvalid (a folder, fifo or device).
  [[nodiscard]] static Result<std::unique_ptr<Content>> open(const std::string& path);
  ~Content();
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;

  [[nodiscard]] Result<FileFacts> facts() const;
  [[nodiscard]] bool compressed() const;
  // Appends up to `size_bytes` from `offset` to `out`; 0: the end, for now. Sequential reads
  // are cheap; going back in a compressed file decompresses it from its start.
  // Errors: kIo, kCorrupt (not gzip, or damaged).
  [[nodiscard]] Result<std::size_t> read(std::uint64_t offset, std::size_t size_bytes, std::string& out);

 private:
  Content();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
