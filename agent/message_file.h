// Messages of a topic in a file. Each follows its length (four bytes, big endian), as `weir-agent cat
// --messages` and `kcat -f '%R%s'` write them. The file may also be a single batch without a length.
#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "proto/result.h"

namespace weir {

// More than any batch has, because its columns and the texts of its header are bounded.
inline constexpr std::uint64_t kMaxMessageBytes = 128ULL << 20;

class MessageFile {
 public:
  // "-": standard input. Errors: kIo.
  [[nodiscard]] static Result<MessageFile> open(const std::string& path);

  // nullopt at the end. After an error there is nothing more to read: kIo, kCorrupt (the file ends inside a
  // message, or a length is invalid).
  [[nodiscard]] Result<std::optional<std::string>> next();

 private:
  struct Close {
    void operator()(std::FILE* file) const {
      if (file != stdin) std::fclose(file);
    }
  };
  explicit MessageFile(std::FILE* file, std::string name) : file_(file), name_(std::move(name)) {}
  [[nodiscard]] Result<std::optional<std::string>> read_rest(std::string begin);
  [[nodiscard]] Error cut() const;

  std::unique_ptr<std::FILE, Close> file_;
  std::string name_;
  std::uint64_t messages_ = 0;
};

void append_message(std::string& out, std::string_view message);  // writes the length first

}  // namespace weir
