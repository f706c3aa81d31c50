#include "agent/tail/content.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace weir {
namespace {

constexpr std::size_t kBlockBytes = 64 << 10;

std::unexpected<Error> system_error(const std::string& path, const char* what) {
  const auto code = errno == ENOENT ? Code::kNotFound : Code::kIo;
  return fail(code, fmt::format("{}: {}: {}", path, what, std::strerror(errno)),
              errno == EACCES ? "give the user that runs weir the right to read it" : "");
}

}  // namespace

struct Content::Impl {
  ~Impl() {
    if (fd >= 0) ::close(fd);
    if (inflating) inflateEnd(&stream);
  }
  std::string path;
  int fd = -1;
  bool gz = false;
  // Of the decompressor.
  z_stream stream{};
  bool inflating = false, member_ended = false;
  std::uint64_t raw_offset = 0;    // of the next bytes to read from the file
  std::uint64_t plain_offset = 0;  // of the next decompressed byte
  std::array<char, kBlockBytes> raw{};

  Result<void> restart() {
    if (inflating) inflateEnd(&stream);
    stream = {};
    inflating = inflateInit2(&stream, 16 + MAX_WBITS) == Z_OK;
    if (!inflating) return fail(Code::kIo, path + ": no memory to decompress");
    raw_offset = plain_offset = 0;
    member_ended = false;
    return {};
  }

  // Up to `size` bytes into `out`; 0 at the end of what the file has.
  Result<std::size_t> inflate_some(char* out, std::size_t size) {
    stream.next_out = reinterpret_cast<Bytef*>(out);
    stream.avail_out = static_cast<uInt>(size);
    while (stream.avail_out == size) {
      if (stream.avail_in == 0) {
        const auto got = ::pread(fd, raw.data(), raw.size(), static_cast<off_t>(raw_offset));
        if (got < 0) return system_error(path, "cannot be read");
        if (got == 0) return std::size_t{0};
        raw_offset += static_cast<std::uint64_t>(got);
        stream.next_in = reinterpret_cast<Bytef*>(raw.data());
        stream.avail_in = static_cast<uInt>(got);
      }
      if (member_ended) {
        // gzip files may be concatenated; zeros behind the last are padding.
        if (*stream.next_in == 0) {
          ++stream.next_in;
          --stream.avail_in;
          continue;
        }
        inflateReset(&stream);
        member_ended = false;
      }
      const auto status = inflate(&stream, Z_NO_FLUSH);
      if (status == Z_STREAM_END) {
        member_ended = true;
      } else if (status != Z_OK && status != Z_BUF_ERROR) {
        return fail(Code::kCorrupt,
                    fmt::format("{}: does not decompress after {} bytes: {}", path, plain_offset,
                                stream.msg != nullptr ? stream.msg : "damaged"),
                    "what came before it was read; check the file with gzip -t");
      }
    }
    const auto made = size - stream.avail_out;
    plain_offset += made;
    return made;
  }
};

Content::Content() : impl_(std::make_unique<Impl>()) {}
Content::~Content() = default;

Result<std::unique_ptr<Content>> Content::open(const std::string& path) {
  std::unique_ptr<Content> content(new Content);
  auto& impl = *content->impl_;
  impl.path = path;
  // NONBLOCK: a fifo must not stop the loop.
  impl.fd = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (impl.fd < 0) return system_error(path, "cannot be opened");
  struct stat facts{};
  if (::fstat(impl.fd, &facts) != 0) return system_error(path, "cannot be looked at");
  if (!S_ISREG(facts.st_mode))
    return fail(Code::kInvalid, path + ": is not a regular file", "exclude it from the input's paths");
  impl.gz = path.ends_with(".gz");
  if (impl.gz) {
    if (auto started = impl.restart(); !started) return std::unexpected(started.error());
  }
  return content;
}

bool Content::compressed() const { return impl_->gz; }

Result<FileFacts> Content::facts() const {
  struct stat facts{};
  if (::fstat(impl_->fd, &facts) != 0) return system_error(impl_->path, "cannot be looked at");
  return FileFacts{facts.st_dev, facts.st_ino, static_cast<std::uint64_t>(facts.st_size),
                   static_cast<std::int64_t>(facts.st_mtim.tv_sec) * 1000 + facts.st_mtim.tv_nsec / 1'000'000,
                   facts.st_nlink};
}

Result<std::size_t> Content::read(std::uint64_t offset, std::size_t size_bytes, std::string& out) {
  auto& impl = *impl_;
  const auto before = out.size();
  if (!impl.gz) {
    out.resize(before + size_bytes);
    const auto got = ::pread(impl.fd, out.data() + before, size_bytes, static_cast<off_t>(offset));
    out.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0) return system_error(impl.path, "cannot be read");
    return static_cast<std::size_t>(got);
  }
  if (offset < impl.plain_offset) {
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
      // What was decompressed is given first; the error comes again at the next read.
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
