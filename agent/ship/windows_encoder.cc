// Codec "windows": sums per window and site, with the file range of their lines.
#include "agent/ship/encoders.h"

namespace weir {
namespace {

class WindowsEncoder final : public Encoder {
 public:
  explicit WindowsEncoder(int zstd_level) : zstd_level_(zstd_level) {}

  void begin(const std::vector<std::string>& /*extra_names*/, const EncoderOptions& options) override {
    folder_.begin(options.fold, options.site_field);
  }

  [[nodiscard]] bool add(const ParsedLine& line) override {
    switch (line.outcome) {
      case LineParser::Outcome::kRecord:
        folder_.add(line.record);
        break;
      case LineParser::Outcome::kSkip:
        folder_.add_filtered();
        break;
      case LineParser::Outcome::kUnparsed:
        folder_.add_unparsed(line.line, line.reason);
        break;
    }
    return folder_.full();
  }

  [[nodiscard]] Result<std::string> finish(const BatchHeader& header) override {
    auto of_windows = header;
    of_windows.kind = BatchKind::kWindows;
    return encode_windows(of_windows, folder_.finish(), zstd_level_);
  }

  [[nodiscard]] bool crowded() const override { return folder_.crowded(); }

 private:
  int zstd_level_;
  LineFolder folder_;
};

}  // namespace

std::unique_ptr<Encoder> make_windows_encoder(int zstd_level) {
  return std::make_unique<WindowsEncoder>(zstd_level);
}

}  // namespace weir
