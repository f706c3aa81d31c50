// Codec "batch": requests as columns, with the file range that they came from.
#include "agent/ship/encoders.h"
#include "proto/must.h"

namespace weir {
namespace {

// The message size is checked again after this many bytes of the log, because a check costs more than
// encoding a few lines.
constexpr std::uint64_t kSizeCheckBytes = 8 << 10;
// The size of a message apart from its columns: ids, names and fields.
constexpr std::uint64_t kHeaderBytes = 16 << 10;

class BatchEncoder final : public Encoder {
 public:
  explicit BatchEncoder(int zstd_level) : builder_(zstd_level) {}

  void begin(const std::vector<std::string>& extra_names, const EncoderOptions& options) override {
    builder_.begin(extra_names);
    max_message_bytes_ = options.max_message_bytes;
    next_size_check_ = kSizeCheckBytes;
    content_bytes_ = 0;
    large_ = false;
  }

  [[nodiscard]] bool add(const ParsedLine& line) override {
    MUST(line.line_bytes > 0, "each line has a byte at least");
    content_bytes_ += line.line_bytes;
    switch (line.outcome) {
      case LineParser::Outcome::kRecord:
        builder_.add(line.record, line.line_bytes);
        check_size();
        break;
      case LineParser::Outcome::kSkip:
        builder_.add_filtered(line.line_bytes);
        break;
      case LineParser::Outcome::kUnparsed:
        builder_.add_unparsed(line.line, line.reason, line.line_bytes);
        if (line.reason == Unparsed::kTooLong) check_size();
        break;
    }
    return large_ || builder_.full();
  }

  [[nodiscard]] Result<std::string> finish(const BatchHeader& header) override {
    MUST(builder_.content_bytes() == content_bytes_, "a batch has the bytes of each line that was added");
    return builder_.finish(header);
  }

 private:
  void check_size() {
    if (content_bytes_ < next_size_check_) return;
    next_size_check_ = content_bytes_ + kSizeCheckBytes;
    large_ = builder_.columns_bytes() + kHeaderBytes + 2 * kSizeCheckBytes >= max_message_bytes_;
  }

  BatchBuilder builder_;
  std::uint64_t max_message_bytes_ = ~0ULL;
  std::uint64_t next_size_check_ = 0;  // the content_bytes_ at which to check the size again
  std::uint64_t content_bytes_ = 0;
  bool large_ = false;
};

}  // namespace

std::unique_ptr<Encoder> make_batch_encoder(int zstd_level) {
  return std::make_unique<BatchEncoder>(zstd_level);
}

}  // namespace weir
