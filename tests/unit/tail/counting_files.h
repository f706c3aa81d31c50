// The real file system, counting the bytes read.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "agent/tail/file_system.h"

namespace weir {

class CountingFiles : public FileSystem {
 public:
  [[nodiscard]] Result<FileFacts> facts(const std::string& path) const override {
    return posix_file_system().facts(path);
  }
  [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path) const override {
    auto file = posix_file_system().open(path);
    if (!file) return file;
    return std::make_unique<CountingFile>(std::move(*file), *this);
  }
  [[nodiscard]] GlobResult glob(const std::string& pattern) const override {
    return posix_file_system().glob(pattern);
  }
  [[nodiscard]] std::string resolved(const std::string& path) const override {
    return posix_file_system().resolved(path);
  }
  [[nodiscard]] bool needs_polling(const std::string& folder) const override {
    return posix_file_system().needs_polling(folder);
  }

  mutable std::uint64_t reads = 0, reads_from_the_start = 0, read_bytes = 0;

 private:
  class CountingFile : public File {
   public:
    CountingFile(std::unique_ptr<File> file, const CountingFiles& counts)
        : file_(std::move(file)), counts_(counts) {}
    [[nodiscard]] Result<FileFacts> facts() const override { return file_->facts(); }
    [[nodiscard]] Result<std::size_t> read(std::uint64_t offset, std::size_t size_bytes,
                                           std::string& out) const override {
      auto got = file_->read(offset, size_bytes, out);
      ++counts_.reads;
      counts_.read_bytes += got.value_or(0);
      counts_.reads_from_the_start += offset == 0 ? 1 : 0;
      return got;
    }
    [[nodiscard]] std::uint64_t data_from(std::uint64_t offset) const override {
      return file_->data_from(offset);
    }
    [[nodiscard]] std::uint64_t free_bytes() const override { return file_->free_bytes(); }

   private:
    std::unique_ptr<File> file_;
    const CountingFiles& counts_;
  };
};

}  // namespace weir
