// A batch holds the lines of one byte range of one source, either as columns or as sums. One batch is one
// Kafka message. proto/weir.proto defines the format; this file declares its writer and its reader.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proto/coverage.h"
#include "proto/folded.h"
#include "proto/record.h"
#include "proto/result.h"
#include "proto/source_id.h"

namespace weir {

// The values are the wire's numbers, except kClaim: on the wire a claim is a loss with the cause "not
// received".
enum class BatchKind : std::uint8_t { kRecords = 0, kHeartbeat = 1, kLoss = 2, kWindows = 3, kClaim = 255 };

struct BatchHeader {
  BatchKind kind = BatchKind::kRecords;
  SourceId source;
  ByteRange range;           // whole lines; line_bytes has an entry for each
  std::uint64_t origin = 0;  // where the agent was configured to start reading this source
  std::string agent_id;
  std::uint64_t instance = 0;  // of the agent; new at the first start of each state_dir
  std::string host;            // host name of the agent's machine
  std::string input;           // name of the [[input]]
  std::string path;            // path of the file when the batch was made
  std::vector<std::pair<std::string, std::string>> fields;  // of the [[input]]
  std::int64_t sent_ms = 0;                                 // the agent's clock, for lag only
  std::int64_t watermark_ms = kNoTime;  // heartbeats: everything up to this event time is shipped
  std::uint64_t lag_bytes = 0;          // heartbeats: bytes that the agent knows of but has not shipped
  LossCause loss_cause = LossCause::kNotReceived;  // losses
  friend bool operator==(const BatchHeader&, const BatchHeader&) = default;
};

struct DecodeLimits {
  std::uint64_t max_uncompressed_bytes = 32ULL << 20;
  std::uint32_t max_lines = 1U << 20;
  std::uint32_t max_strings = 1U << 20;  // of all columns together, each with an entry for "absent"
  std::uint32_t max_rows = 1U << 16;     // of kWindows; also the limit for sites
  // Bit i: the reader wants text column i. Other columns are left out of Columns, neither read nor checked.
  std::uint32_t text_columns = ~0U;
  bool extra_columns = true;
};

// Longest line that may be read. A longer line, even alone in its batch, would exceed the limits above.
inline constexpr std::uint64_t kMaxLineBytes = 16ULL << 20;

// Builds one batch at a time and reuses its buffers for the next, so once they have grown, adding a line does
// not allocate. Not thread-safe.
class BatchBuilder {
 public:
  explicit BatchBuilder(int zstd_level = 1);
  ~BatchBuilder();
  BatchBuilder(BatchBuilder&&) noexcept;
  BatchBuilder& operator=(BatchBuilder&&) noexcept;

  // Starts a new batch and discards the previous one. `extra_names` are those of the parser.
  void begin(std::vector<std::string> extra_names);
  // `line_bytes`: size of the line in the file, including its '\n'.
  void add(const Record& record, std::uint32_t line_bytes);
  void add_unparsed(std::string_view line, Unparsed reason, std::uint32_t line_bytes);
  void add_filtered(std::uint32_t line_bytes);  // blank, comment or excluded: counted, no record

  [[nodiscard]] std::uint32_t lines() const;
  [[nodiscard]] std::uint64_t content_bytes() const;  // sum of line_bytes
  // Upper bound for the size of the message's columns, assuming nothing compresses.
  [[nodiscard]] std::uint64_t columns_bytes() const;
  // After one more line of up to kMaxLineBytes, the batch might exceed the readers' DecodeLimits: finish this
  // one first. When lines add up to a megabyte, this happens only if nearly all of them are blank.
  [[nodiscard]] bool full() const;
  // Returns the message to put on the wire. header.range must be content_bytes() long.
  [[nodiscard]] Result<std::string> finish(const BatchHeader& header);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

[[nodiscard]] Result<std::string> encode_heartbeat(const BatchHeader& header);
// header.range will never be sent; header.loss_cause says why.
[[nodiscard]] Result<std::string> encode_loss(const BatchHeader& header);
// A claim: all of header.range was acknowledged, so whatever the reader has not received of it by now is a
// gap.
[[nodiscard]] Result<std::string> encode_claim(const BatchHeader& header);
// Sums in place of lines, covering header.range.
[[nodiscard]] Result<std::string> encode_windows(const BatchHeader& header, const FoldedLines& folded,
                                                 int zstd_level);

// True when the message starts with weir's magic, whether or not it can be decoded.
[[nodiscard]] bool looks_like_batch(std::string_view message);

// A text column of a decoded batch.
struct TextColumn {
  std::vector<std::string_view> strings;  // [0] means "absent"; views into the batch's memory
  std::vector<std::uint32_t> index;       // per record, an index into `strings`; empty: the column is absent
  [[nodiscard]] std::string_view at(std::size_t record) const {
    return index.empty() ? std::string_view{} : strings[index[record]];
  }
};

// Columns of a decoded batch.
struct Columns {
  std::vector<std::uint32_t> record_line;  // line index of record i
  std::vector<std::int64_t> time_ms;       // per record
  std::array<TextColumn, kTextCount> text;
  std::array<std::vector<std::uint64_t>, kNumberCount> number;  // value + 1, 0 absent; empty: column absent
  std::vector<std::string> extra_names;
  std::vector<TextColumn> extra;          // parallel to extra_names
  std::vector<std::uint32_t> line_bytes;  // per line, in file order
  std::vector<UnparsedLine> unparsed;     // ascending by line
  std::uint32_t filtered = 0;
  [[nodiscard]] std::size_t records() const { return time_ms.size(); }
};

class DecodedBatch {
 public:
  BatchHeader header;
  Columns columns;     // when the kind is kRecords
  FoldedLines folded;  // when the kind is kWindows

  // Row `i` as a Record. record.extra points into `extra_scratch`. The views are valid as long as *this.
  void record(std::size_t i, Record& out, std::vector<std::string_view>& extra_scratch) const;

  DecodedBatch() = default;
  DecodedBatch(DecodedBatch&&) = default;
  DecodedBatch& operator=(DecodedBatch&&) = default;
  // Owns the memory behind the views; its address does not change on a move.
  std::unique_ptr<std::string> buffer_;
  std::vector<std::unique_ptr<std::string>> addresses_;
};

// Treats every byte of `message` as untrusted. Errors: kCorrupt (with what is wrong and in which part),
// kInvalid (a version that this reader does not know).
[[nodiscard]] Result<DecodedBatch> decode_batch(std::string_view message, const DecodeLimits& limits = {});

}  // namespace weir
