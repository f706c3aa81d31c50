// The bytes of one open file, decompressed when it is a .gz, .zst or .bz2: read forward from an offset.
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
  // Of a compressed content whose end was read: its last member is whole. Else it is still being
  // written, or was cut short.
  [[nodiscard]] bool complete() const;
  // Lets the memory of the decompressor go until the next read().
  void rest();
  // Closes the file for good: every call fails from now on, and says so of `path`.
  void give_up(const std::string& path);
  // As File has it; offsets of a compressed content have no holes.
  [[nodiscard]] std::uint64_t data_from(std::uint64_t offset) const;
  [[nodiscard]] std::uint64_t free_bytes() const;
  // Appends up to `size_bytes` from `offset` to `out`; 0: the end, for now. Sequential reads
  // are cheap; going back in a compressed file decompresses it from its start, and so does a read after
  // others of the same thread were read: their memory is bounded, so read one after the other.
  // Errors: kIo, kCorrupt (not gzip, or damaged).
  [[nodiscard]] Result<std::size_t> read(std::uint64_t offset, std::size_t size_bytes, std::string& out);

 private:
  Content();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
