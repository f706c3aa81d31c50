#include "agent/tail/decompressor.h"

#include <bzlib.h>
#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

namespace weir {
namespace {

// Decompresses one member, frame or stream at a time.
class Codec {
 public:
  enum class Status : std::uint8_t { kContinues, kMemberEnded, kDamaged, kRefused, kNoMemory };
  struct Step {
    std::size_t consumed = 0, produced = 0;
    Status status = Status::kContinues;
    std::string why;   // the reason, if the status is an error
    std::string hint;  // for kRefused: what to do
  };

  Codec() = default;
  virtual ~Codec() = default;
  Codec(const Codec&) = delete;
  Codec& operator=(const Codec&) = delete;

  // Called before the first step of each member. False: no memory.
  [[nodiscard]] virtual bool begin_member() = 0;
  [[nodiscard]] virtual Step step(std::string_view in, char* out, std::size_t out_size) = 0;
  // The command that checks a file of this format.
  [[nodiscard]] virtual std::string_view checker() const = 0;
};

// zlib and bzip2 use 32-bit sizes.
unsigned clamped(std::size_t size) {
  return static_cast<unsigned>(std::min<std::size_t>(size, std::numeric_limits<unsigned>::max()));
}

class Copy final : public Codec {
 public:
  bool begin_member() override { return true; }
  Step step(std::string_view in, char* out, std::size_t out_size) override {
    const auto size = std::min(in.size(), out_size);
    if (size > 0) std::memcpy(out, in.data(), size);
    return {.consumed = size, .produced = size, .status = Status::kContinues, .why = {}, .hint = {}};
  }
  std::string_view checker() const override { return ""; }
};

class Gzip final : public Codec {
 public:
  ~Gzip() override {
    if (open_) inflateEnd(&stream_);
  }
  bool begin_member() override {
    if (open_) return inflateReset(&stream_) == Z_OK;
    stream_ = {};
    open_ = inflateInit2(&stream_, 16 + MAX_WBITS) == Z_OK;
    return open_;
  }
  Step step(std::string_view in, char* out, std::size_t out_size) override {
    // zlib's next_in is const only with ZLIB_CONST; it does not write there.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = clamped(in.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out);
    stream_.avail_out = clamped(out_size);
    const auto code = inflate(&stream_, Z_NO_FLUSH);
    Step done;
    done.consumed = clamped(in.size()) - stream_.avail_in;
    done.produced = clamped(out_size) - stream_.avail_out;
    if (code == Z_STREAM_END) {
      done.status = Status::kMemberEnded;
    } else if (code == Z_MEM_ERROR) {
      done.status = Status::kNoMemory;
    } else if (code != Z_OK && code != Z_BUF_ERROR) {
      done.status = Status::kDamaged;
      done.why = stream_.msg != nullptr ? stream_.msg : "damaged";
    }
    return done;
  }
  std::string_view checker() const override { return "gzip -t"; }

 private:
  z_stream stream_{};
  bool open_ = false;
};

// Whether `bytes`, at most four, may start a frame or a skippable frame (0x184D2A50 to 5F).
bool is_magic_begin(std::string_view bytes) {
  constexpr std::string_view kFrame = "\x28\xb5\x2f\xfd";
  constexpr std::string_view kSkippable = "\x2a\x4d\x18";
  if (kFrame.starts_with(bytes)) return true;
  return (static_cast<unsigned char>(bytes.front()) & 0xF0U) == 0x50 &&
         kSkippable.starts_with(bytes.substr(1));
}

class Zstd final : public Codec {
 public:
  bool begin_member() override {
    magic_.clear();
    held_back_ = false;
    if (context_ == nullptr) context_.reset(ZSTD_createDCtx());
    return context_ != nullptr && !ZSTD_isError(ZSTD_DCtx_reset(context_.get(), ZSTD_reset_session_only)) &&
           !ZSTD_isError(ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kMaxZstdWindowLog));
  }
  Step step(std::string_view in, char* out, std::size_t out_size) override {
    Step done;
    if (magic_.size() < kMagicBytes) {
      take_magic(in, done);
      return done;
    }
    ZSTD_outBuffer to{out, out_size, 0};
    // If a library call fails, the output of that call is lost. So no call both writes output and starts the
    // next block. First we fetch the output that the library holds back, then we split the input where a
    // block ends (`wanted_` includes the header of the next block). We also split it before the end of a
    // frame, because a frame with a wrong content size fails at its last byte.
    constexpr std::size_t kBlockHeaderBytes = 3;
    if (held_back_) {
      ZSTD_inBuffer nothing{nullptr, 0, 0};
      const auto code = ZSTD_decompressStream(context_.get(), &to, &nothing);
      held_back_ = to.pos == to.size;
      if (ZSTD_isError(code) || code == 0 || held_back_) return finish(code, 0, to, done);
    }
    const auto take = wanted_ > kBlockHeaderBytes ? wanted_ - kBlockHeaderBytes : std::size_t{1};
    in = in.substr(0, take);
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    const auto code = ZSTD_decompressStream(context_.get(), &to, &from);
    held_back_ = to.pos == to.size;
    return finish(code, from.pos, to, done);
  }
  std::string_view checker() const override { return "zstd -t"; }

 private:
  static constexpr std::size_t kMagicBytes = 4;

  // The library also decodes the formats of zstd before 0.8. No logs use them, they ignore the window limit,
  // and their decoders are not safe with hostile input. So the library only gets input that starts with a
  // current magic. The magic is passed in a call of its own: otherwise the library decodes a complete frame
  // in one go and returns no output at all if the frame is damaged.
  void take_magic(std::string_view in, Step& done) {
    for (const char c : in) {
      if (magic_.size() == kMagicBytes) break;
      magic_.push_back(c);
      ++done.consumed;
    }
    if (!is_magic_begin(magic_)) {
      done.status = Status::kDamaged;
      done.why = "no zstd frame begins here";
    } else if (magic_.size() == kMagicBytes) {
      ZSTD_inBuffer from{magic_.data(), magic_.size(), 0};
      ZSTD_outBuffer none{nullptr, 0, 0};
      done = finish(ZSTD_decompressStream(context_.get(), &none, &from), done.consumed, none, done);
    }
  }

  Step finish(std::size_t code, std::size_t consumed, const ZSTD_outBuffer& to, Step done) {
    done.consumed = consumed;
    done.produced = to.pos;
    if (ZSTD_isError(code)) {
      refuse(code, done);
      return done;
    }
    wanted_ = code;
    if (code == 0) done.status = Status::kMemberEnded;
    return done;
  }

  static void refuse(std::size_t code, Step& done) {
    done.why = ZSTD_getErrorName(code);
    switch (ZSTD_getErrorCode(code)) {
      case ZSTD_error_memory_allocation:
        done.status = Status::kNoMemory;
        break;
      case ZSTD_error_frameParameter_windowTooLarge:
        done.status = Status::kRefused;
        done.why = fmt::format("its window is larger than {} MiB", (1ULL << kMaxZstdWindowLog) >> 20);
        done.hint = fmt::format(
            "compress it again without --ultra or with --long={} at most, "
            "or decompress it first",
            kMaxZstdWindowLog);
        break;
      case ZSTD_error_dictionary_wrong:
        done.status = Status::kRefused;
        done.why = "it was compressed with a dictionary";
        done.hint = "compress it again without a dictionary, or decompress it first";
        break;
      default:
        done.status = Status::kDamaged;
    }
  }

  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };
  std::unique_ptr<ZSTD_DCtx, Free> context_;
  std::string magic_;
  bool held_back_ = false;  // the library may hold output that did not fit
  std::size_t wanted_ = 0;  // how many bytes of input the library asks for next
};

class Bzip2 final : public Codec {
 public:
  ~Bzip2() override { close(); }
  bool begin_member() override {
    close();  // bzip2 cannot be reset
    stream_ = {};
    open_ = BZ2_bzDecompressInit(&stream_, 0, 0) == BZ_OK;
    return open_;
  }
  Step step(std::string_view in, char* out, std::size_t out_size) override {
    stream_.next_in = const_cast<char*>(in.data());  // bzip2 does not write to it
    stream_.avail_in = clamped(in.size());
    stream_.next_out = out;
    stream_.avail_out = clamped(out_size);
    const auto code = BZ2_bzDecompress(&stream_);
    Step done;
    done.consumed = clamped(in.size()) - stream_.avail_in;
    done.produced = clamped(out_size) - stream_.avail_out;
    if (code == BZ_STREAM_END) {
      done.status = Status::kMemberEnded;
    } else if (code == BZ_MEM_ERROR) {
      done.status = Status::kNoMemory;
    } else if (code != BZ_OK) {
      done.status = Status::kDamaged;
      done.why = code == BZ_DATA_ERROR_MAGIC ? "no bzip2 stream begins here" : "damaged";
    }
    return done;
  }
  std::string_view checker() const override { return "bzip2 -t"; }

 private:
  void close() {
    if (open_) BZ2_bzDecompressEnd(&stream_);
    open_ = false;
  }
  bz_stream stream_{};
  bool open_ = false;
};

std::unique_ptr<Codec> make_codec(Compression compression) {
  switch (compression) {
    case Compression::kGzip:
      return std::make_unique<Gzip>();
    case Compression::kZstd:
      return std::make_unique<Zstd>();
    case Compression::kBzip2:
      return std::make_unique<Bzip2>();
    case Compression::kNone:
      break;
  }
  return std::make_unique<Copy>();
}

}  // namespace

Compression compression_of(std::string_view path) {
  if (path.ends_with(".gz")) return Compression::kGzip;
  if (path.ends_with(".zst")) return Compression::kZstd;
  if (path.ends_with(".bz2")) return Compression::kBzip2;
  return Compression::kNone;
}

Compression looks_compressed(std::string_view first_bytes) {
  using namespace std::string_view_literals;
  if (first_bytes.starts_with("\x1f\x8b\x08"sv)) return Compression::kGzip;
  if (first_bytes.size() >= 4 && is_magic_begin(first_bytes.substr(0, 4))) return Compression::kZstd;
  // A log line may begin with "BZh1" to "BZh9", but not followed by the magic of a block or of the stream's
  // end.
  if (first_bytes.size() >= 10 && first_bytes.starts_with("BZh"sv) && first_bytes[3] >= '1' &&
      first_bytes[3] <= '9') {
    const auto block = first_bytes.substr(4, 6);
    if (block == "\x31\x41\x59\x26\x53\x59"sv || block == "\x17\x72\x45\x38\x50\x90"sv)
      return Compression::kBzip2;
  }
  return Compression::kNone;
}

struct Decompressor::Impl {
  Compression compression = Compression::kNone;
  std::string name;
  std::unique_ptr<Codec> codec;
  bool in_member = false;
  bool any_member = false;  // a complete member was seen
  // The codec has returned everything its input yields. While following a growing file we would call it again
  // and again, and zstd treats that as an error.
  bool drained = false;
  std::uint64_t given_bytes = 0;  // bytes of decompressed content so far
  std::optional<Error> failed;

  void fail_with(const Codec::Step& step) {
    switch (step.status) {
      case Codec::Status::kNoMemory:
        failed = Error{Code::kIo, name + ": no memory to decompress", ""};
        break;
      case Codec::Status::kRefused:
        failed = Error{Code::kInvalid, fmt::format("{}: does not decompress: {}", name, step.why), step.hint};
        break;
      default:
        failed =
            Error{Code::kCorrupt,
                  fmt::format("{}: does not decompress after {} bytes: {}", name, given_bytes, step.why),
                  fmt::format("everything before it was read; check the file with {}", codec->checker())};
    }
  }

  // How many bytes at the start of `in` are padding after a member.
  [[nodiscard]] std::size_t padding(std::string_view in) const {
    if (in_member || !any_member || compression == Compression::kNone) return 0;
    return std::min(in.find_first_not_of('\0'), in.size());
  }
};

Decompressor::Decompressor() : impl_(std::make_unique<Impl>()) {}
Decompressor::~Decompressor() = default;

Result<std::unique_ptr<Decompressor>> Decompressor::create(Compression compression, std::string name) {
  std::unique_ptr<Decompressor> made(new Decompressor);
  made->impl_->compression = compression;
  made->impl_->name = std::move(name);
  made->impl_->codec = make_codec(compression);
  made->reset();
  if (!made->impl_->codec->begin_member())
    return fail(Code::kIo, made->impl_->name + ": no memory to decompress");
  return made;
}

Compression Decompressor::compression() const { return impl_->compression; }

void Decompressor::reset() {
  impl_->in_member = impl_->drained = false;
  impl_->any_member = impl_->compression == Compression::kNone;
  impl_->given_bytes = 0;
  impl_->failed.reset();
}

Result<Decompressor::Progress> Decompressor::run(std::string_view in, char* out, std::size_t out_size) {
  auto& impl = *impl_;
  Progress progress;
  while (!impl.failed && !progress.needs_input && progress.produced < out_size) {
    auto rest = in.substr(progress.consumed);
    const auto padding = impl.padding(rest);
    progress.consumed += padding;
    rest.remove_prefix(padding);
    if (rest.empty() && (impl.drained || !impl.in_member)) {
      progress.needs_input = true;
      break;
    }
    if (!impl.in_member) {
      if (!impl.codec->begin_member()) {
        impl.fail_with({.status = Codec::Status::kNoMemory, .why = {}, .hint = {}});
        break;
      }
      impl.in_member = true;
    }
    const auto room = out_size - progress.produced;
    const auto step = impl.codec->step(rest, out + progress.produced, room);
    progress.consumed += step.consumed;
    progress.produced += step.produced;
    impl.given_bytes += step.produced;
    impl.drained = step.consumed == rest.size() && step.produced < room;
    if (step.status == Codec::Status::kMemberEnded) {
      impl.in_member = false;
      impl.any_member = true;
    } else if (step.status != Codec::Status::kContinues) {
      impl.fail_with(step);
    } else if (impl.drained) {
      progress.needs_input = true;
    } else if (step.consumed == 0 && step.produced == 0) {
      impl.fail_with({.status = Codec::Status::kDamaged, .why = "it makes no progress", .hint = {}});
    }
  }
  // First return the output from before the damage, then the error at the next call.
  if (impl.failed && progress.produced == 0) return std::unexpected(*impl.failed);
  progress.member_ended =
      impl.compression == Compression::kNone || (!impl.in_member && impl.any_member && !impl.failed);
  return progress;
}

}  // namespace weir
