#include "agent/tail/content.h"

#include <algorithm>
#include <array>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

#include "agent/tail/decompressor.h"

namespace weir {
namespace {

constexpr std::size_t kBlockBytes = 64 << 10;
// A decompressor needs a window of up to 128 MiB, often 8 MiB. Only the contents that a thread read last keep
// theirs. The others start again from the beginning, so a caller with many contents should read them one
// after the other.
constexpr std::size_t kMaxUnpacking = 4;

struct Unpacking {
  std::unique_ptr<Decompressor> decompressor;  // null: released
  std::string raw;  // read from the file; the bytes from raw_used on are not decompressed yet
  std::size_t raw_used = 0;

  void release() {
    decompressor.reset();
    raw.clear();
    raw.shrink_to_fit();  // assigning {} would not free the memory
    raw_used = 0;
  }
};

void note_read(const std::shared_ptr<Unpacking>& unpacking) {
  thread_local std::vector<std::weak_ptr<Unpacking>> recent;  // newest last
  std::erase_if(recent, [&](const auto& other) { return other.expired() || other.lock() == unpacking; });
  recent.push_back(unpacking);
  if (recent.size() <= kMaxUnpacking) return;
  if (const auto oldest = recent.front().lock()) oldest->release();
  recent.erase(recent.begin());
}

}  // namespace

bool is_compressed_path(std::string_view path) { return compression_of(path) != Compression::kNone; }

struct Content::Impl {
  std::string path;  // set only if compressed or closed; otherwise the file knows it
  std::unique_ptr<File> file;
  Compression compression = Compression::kNone;
  // While decompressing.
  std::shared_ptr<Unpacking> unpacking;  // not null when compressed
  std::uint64_t raw_offset = 0;          // offset of the next bytes to read from the file
  std::uint64_t plain_offset = 0;        // offset of the next decompressed byte
  bool complete = false;

  [[nodiscard]] std::unexpected<Error> closed() const { return fail(Code::kIo, path + ": is closed"); }

  Result<void> restart() {
    unpacking->raw.clear();
    unpacking->raw_used = 0;
    raw_offset = plain_offset = 0;
    if (unpacking->decompressor) {
      unpacking->decompressor->reset();
      return {};
    }
    auto made = Decompressor::create(compression, path);
    if (!made) return std::unexpected(made.error());
    unpacking->decompressor = std::move(*made);
    return {};
  }

  // Writes up to `size` bytes to `out`. Returns 0 at the end of the file.
  Result<std::size_t> inflate_some(char* out, std::size_t size) {
    auto& [decompressor, raw, raw_used] = *unpacking;
    for (;;) {
      const auto progress = decompressor->run(std::string_view(raw).substr(raw_used), out, size);
      if (!progress) return std::unexpected(progress.error());
      raw_used += progress->consumed;
      plain_offset += progress->produced;
      complete = progress->member_ended;
      if (progress->produced > 0) return progress->produced;
      if (raw_used < raw.size()) continue;
      raw.clear();
      raw_used = 0;
      const auto got = file->read(raw_offset, kBlockBytes, raw);
      if (!got || *got == 0) return got;
      raw_offset += *got;
    }
  }
};

Content::Content() : impl_(std::make_unique<Impl>()) {}
Content::~Content() = default;

Result<std::unique_ptr<Content>> Content::open(const std::string& path, const FileSystem& files) {
  auto file = files.open(path);
  if (!file) return std::unexpected(file.error());
  std::unique_ptr<Content> content(new Content);
  auto& impl = *content->impl_;
  impl.file = std::move(*file);
  impl.compression = compression_of(path);
  if (impl.compression != Compression::kNone) {
    impl.path = path;
    impl.unpacking = std::make_shared<Unpacking>();
  }
  return content;
}

bool Content::compressed() const { return impl_->compression != Compression::kNone; }
bool Content::complete() const { return impl_->complete; }
void Content::rest() {
  if (impl_->unpacking) impl_->unpacking->release();
}
void Content::give_up(const std::string& path) {
  rest();
  impl_->path = path;
  impl_->file.reset();
}

Result<FileFacts> Content::facts() const {
  if (!impl_->file) return impl_->closed();
  return impl_->file->facts();
}
std::uint64_t Content::free_bytes() const {
  return impl_->file ? impl_->file->free_bytes() : std::numeric_limits<std::uint64_t>::max();
}
std::uint64_t Content::data_from(std::uint64_t offset) const {
  return compressed() || !impl_->file ? offset : impl_->file->data_from(offset);
}

Result<std::size_t> Content::read(std::uint64_t offset, std::size_t size_bytes, std::string& out) {
  auto& impl = *impl_;
  const auto before = out.size();
  if (!impl.file) return impl.closed();
  if (!compressed()) return impl.file->read(offset, size_bytes, out);
  note_read(impl.unpacking);
  if (!impl.unpacking->decompressor || offset < impl.plain_offset) {
    if (auto started = impl.restart(); !started) return std::unexpected(started.error());
  }
  std::array<char, kBlockBytes> skipped;
  while (impl.plain_offset < offset) {
    const auto got = impl.inflate_some(skipped.data(), static_cast<std::size_t>(std::min<std::uint64_t>(
                                                           skipped.size(), offset - impl.plain_offset)));
    if (!got) return got;
    if (*got == 0) return std::size_t{0};
  }
  out.resize(before + size_bytes);
  std::size_t filled = 0;
  while (filled < size_bytes) {
    const auto got = impl.inflate_some(out.data() + before + filled, size_bytes - filled);
    if (!got) {
      out.resize(before + filled);
      // First return the bytes decompressed before the error. The next read returns the error again.
      if (filled == 0) return got;
      return filled;
    }
    if (*got == 0) break;
    filled += *got;
  }
  out.resize(before + filled);
  return filled;
}

}  // namespace weir
