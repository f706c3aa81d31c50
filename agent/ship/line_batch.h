// Lines of one range of a source become the message that an output takes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/format/parser.h"
#include "agent/tail/line_sink.h"
#include "proto/batch.h"
#include "proto/window.h"

namespace weir {

enum class Codec { kBatch, kJson, kRaw };

// What a batch of Codec::kBatch is made of.
struct Contents {
  bool records = true, windows = false;
  // The message of the records is not larger, even if nothing of it compressed, but for the last line.
  std::uint64_t max_message_bytes = ~0ULL;
  FoldConfig fold;
  std::string_view site_field;  // field "site" of the input
};

// Lines of one range, in the codec of the output. Reused from batch to batch.
class LineBatch final : public LineSink {
 public:
  LineBatch(Codec codec, int zstd_level) : codec_(codec), zstd_level_(zstd_level), builder_(zstd_level) {}
  // `parser` is used until the next begin().
  void begin(LineParser& parser, const Contents& contents = {});
  std::size_t add_lines(std::string_view bytes, std::uint64_t limit_bytes, std::uint64_t max_line) override;
  void add_line(std::string_view line, std::uint32_t line_bytes) override;
  void add_cut(std::string_view head, std::uint32_t line_bytes) override;
  // Counted as filtered.
  void add_hole(std::uint32_t hole_bytes) override;
  [[nodiscard]] Result<std::string> finish(const BatchHeader& header);
  [[nodiscard]] Result<std::string> finish_windows(const BatchHeader& header);

  [[nodiscard]] std::uint64_t content_bytes() const override { return content_bytes_; }
  [[nodiscard]] bool full() const override {
    return codec_ == Codec::kBatch &&
           ((records_ && (large_ || builder_.full())) || (windows_ && folder_.full()));
  }
  // Closed early because its lines touch too many windows or sites.
  [[nodiscard]] bool crowded() const { return windows_ && folder_.crowded(); }
  struct Counts {
    std::uint64_t lines = 0, unparsed = 0, filtered = 0, truncated = 0;
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }
  [[nodiscard]] std::int64_t last_time_ms() const { return last_time_ms_; }  // kNoTime: none

 private:
  void filtered(std::uint32_t line_bytes);
  void unparsed(std::string_view line, Unparsed reason, std::uint32_t line_bytes);
  void look_at_size();

  Codec codec_;
  int zstd_level_;
  bool records_ = true, windows_ = false;
  std::uint64_t max_message_bytes_ = ~0ULL, look_again_at_ = 0;  // the latter of content_bytes_
  bool large_ = false;
  BatchBuilder builder_;
  LineFolder folder_;
  std::string text_;  // json, raw
  LineParser* parser_ = nullptr;
  std::uint64_t content_bytes_ = 0;
  Counts counts_;
  std::int64_t last_time_ms_ = kNoTime;
  Record record_;
};

}  // namespace weir
