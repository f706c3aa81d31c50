// The bytes of one open file, read forward from an offset. Files that end in .gz, .zst or .bz2 are
// decompressed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "agent/tail/file_system.h"
#include "proto/result.h"

namespace weir {

[[nodiscard]] bool is_compressed_path(std::string_view path);

class Content {
 public:
  // Errors: those of FileSystem::open.
  [[nodiscard]] static Result<std::unique_ptr<Content>> open(const std::string& path,
                                                             const FileSystem& files = posix_file_system());
  ~Content();
  Content(const Content&) = delete;
  Content& operator=(const Content&) = delete;

  [[nodiscard]] Result<FileFacts> facts() const;
  [[nodiscard]] bool compressed() const;
  // For compressed content that was read to its end. True: the last member is complete. False: the file is
  // still being written or was truncated.
  [[nodiscard]] bool complete() const;
  // Releases the decompressor's memory until the next read().
  void rest();
  // Closes the file for good. Every later call fails with an error that names `path`.
  void give_up(const std::string& path);
  // As File::data_from(). Compressed content has no holes.
  [[nodiscard]] std::uint64_t data_from(std::uint64_t offset) const;
  [[nodiscard]] std::uint64_t free_bytes() const;
  // Appends up to `size_bytes` from `offset` to `out`. Returns 0 at the current end. Sequential reads are
  // cheap. Going back in a compressed file decompresses it from its start. So does a read after four other
  // compressed contents were read on the same thread, because decompressor memory is bounded. So finish one
  // content before starting the next.
  // Errors: kIo, kCorrupt (not gzip, or damaged).
  [[nodiscard]] Result<std::size_t> read(std::uint64_t offset, std::size_t size_bytes, std::string& out);

 private:
  Content();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
