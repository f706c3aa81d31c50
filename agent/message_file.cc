#include "agent/message_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "proto/batch.h"

namespace weir {
namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kReadBytes = 1 << 20;

}  // namespace

Result<MessageFile> MessageFile::open(const std::string& path) {
  if (path == "-") return MessageFile(stdin, "standard input");
  std::FILE* file = std::fopen(path.c_str(), "rbe");
  if (file == nullptr)
    return fail(Code::kIo, fmt::format("{} cannot be read: {}", path, std::strerror(errno)),
                "check the path and the permissions");
  return MessageFile(file, path);
}

Error MessageFile::cut() const {
  if (std::ferror(file_.get()) != 0)
    return {Code::kIo, fmt::format("{} cannot be read: {}", name_, std::strerror(errno)), ""};
  return {Code::kCorrupt, fmt::format("{} ends inside message {}", name_, messages_),
          "what stands before it is printed; copy the file again"};
}

Result<std::optional<std::string>> MessageFile::next() {
  std::string head(kLengthBytes, '\0');
  const auto got = std::fread(head.data(), 1, head.size(), file_.get());
  if (got == 0 && std::feof(file_.get()) != 0) return std::nullopt;
  if (got < head.size()) return std::unexpected(cut());
  // The magic is not a valid length, so a file that begins with it is a single batch.
  if (messages_ == 0 && std::string_view("\x0dWEIR").starts_with(head)) return read_rest(std::move(head));
  std::uint32_t size = 0;
  for (const char c : head) size = size << 8U | static_cast<unsigned char>(c);
  if (size > kMaxMessageBytes)
    return fail(Code::kCorrupt, fmt::format("{}: message {} claims to have {} bytes", name_, messages_, size),
                "a file for cat is made by `weir-agent cat --messages`, or by kcat -f '%R%s'");
  // Do not allocate the stated length in advance: it may be wrong.
  std::string message;
  while (message.size() < size) {
    const auto begin = message.size();
    message.resize(std::min<std::size_t>(size, begin + kReadBytes));
    if (std::fread(message.data() + begin, 1, message.size() - begin, file_.get()) < message.size() - begin)
      return std::unexpected(cut());
  }
  ++messages_;
  return message;
}

Result<std::optional<std::string>> MessageFile::read_rest(std::string begin) {
  ++messages_;
  while (begin.size() <= kMaxMessageBytes) {
    const auto size = begin.size();
    begin.resize(size + kReadBytes);
    const auto got = std::fread(begin.data() + size, 1, kReadBytes, file_.get());
    begin.resize(size + got);
    if (std::ferror(file_.get()) != 0) return std::unexpected(cut());
    if (got < kReadBytes) return begin;
  }
  return fail(Code::kCorrupt, fmt::format("{} is larger than any batch", name_));
}

void append_message(std::string& out, std::string_view message) {
  for (const unsigned shift : {24U, 16U, 8U, 0U}) out.push_back(static_cast<char>(message.size() >> shift));
  out.append(message);
}

}  // namespace weir
