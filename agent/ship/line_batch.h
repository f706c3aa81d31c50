// The lines of one range of a source. They are parsed once and passed to each encoder that ships them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/format/parser.h"
#include "agent/ship/encoder.h"
#include "agent/tail/line_sink.h"

namespace weir {

// One object is reused for many batches. Not thread-safe.
class LineBatch final : public LineSink {
 public:
  explicit LineBatch(int zstd_level) : zstd_level_(zstd_level) {}
  // Starts a batch for these codecs, which must be distinct. `parser` is used until the next begin().
  void begin(LineParser& parser, const std::vector<Codec>& codecs, const EncoderOptions& options = {});

  std::size_t add_lines(std::string_view bytes, std::uint64_t limit_bytes, std::uint64_t max_line) override;
  void add_line(std::string_view line, std::uint32_t line_bytes) override;
  void add_cut(std::string_view head, std::uint32_t line_bytes) override;
  // Counts the hole as filtered.
  void add_hole(std::uint32_t hole_bytes) override;
  // Whether one of the messages is full.
  [[nodiscard]] bool full() const override { return full_; }
  [[nodiscard]] std::uint64_t content_bytes() const override { return content_bytes_; }

  // The payload of one of the codecs passed to begin(). Call it once for each.
  [[nodiscard]] Result<std::string> finish(Codec codec, const BatchHeader& header);

  // Whether it is full because its lines touch too many windows or sites.
  [[nodiscard]] bool crowded() const;
  struct Counts {
    std::uint64_t lines = 0, unparsed = 0, filtered = 0, truncated = 0;
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }
  [[nodiscard]] std::int64_t last_time_ms() const { return last_time_ms_; }  // kNoTime: none
  // Checks the invariants.
  void check() const;

 private:
  struct Made {
    Codec codec;
    std::unique_ptr<Encoder> encoder;
  };
  [[nodiscard]] Encoder& encoder_of(Codec codec);
  void add(const ParsedLine& line);

  int zstd_level_;
  std::vector<Made> made_;          // kept, so that each encoder reuses its buffers
  std::vector<Encoder*> encoders_;  // the encoders of this batch
  LineParser* parser_ = nullptr;
  std::uint64_t content_bytes_ = 0;
  bool full_ = false;
  Counts counts_;
  std::int64_t last_time_ms_ = kNoTime;
  Record record_;
};

}  // namespace weir
