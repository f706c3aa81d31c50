// The bytes of one open file, decompressed if it is a .gz, .zst or .bz2, for reading forward from an offset.
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
  // For a compressed content whose end was read. True: its last member is whole. False: it is still being
  // written, or it was cut short.
  [[nodiscard]] bool complete() const;
  // Releases the memory of the decompressor until the next read().
  void rest();
  // Closes the file for good. Every later call fails, with an error that names `path`.
  void give_up(const std::string& path);
  // As File::data_from(). A compressed content has no holes.
  [[nodiscard]] std::uint64_t data_from(std::uint64_t offset) const;
  [[nodiscard]] std::uint64_t free_bytes() const;
  // Appends up to `size_bytes` from `offset` to `out`. 0: the end for now. Sequential reads are cheap. Going
  // back in a compressed file decompresses it from its start. So does a read after four other compressed
  // contents were read on the same thread, because their memory is bounded: read one after the other.
  // Errors: kIo, kCorrupt (not gzip, or damaged).
  [[nodiscard]] Result<std::size_t> read(std::uint64_t offset, std::size_t size_bytes, std::string& out);

 private:
  Content();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
