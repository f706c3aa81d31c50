// A batch: the lines of one byte range of one source, as columns or as the sums that they come to.
// One Kafka message. The format is proto/weir.proto; this is its writer and its reader.
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

// The numbers are those of the wire, but for kClaim: there a claim is a loss whose cause is "not received".
enum class BatchKind : std::uint8_t { kRecords = 0, kHeartbeat = 1, kLoss = 2, kWindows = 3, kClaim = 255 };

struct BatchHeader {
  BatchKind kind = BatchKind::kRecords;
  SourceId source;
  ByteRange range;           // whole lines; every line of it is in line_bytes
  std::uint64_t origin = 0;  // where the agent was told to begin this source
  std::string agent_id;
  std::uint64_t instance = 0;  // of the agent, new at each first start of a state_dir
  std::string host;            // host name of the agent's machine
  std::string input;           // name of the [[input]]
  std::string path;            // where the file was when the batch was made
  std::vector<std::pair<std::string, std::string>> fields;  // of the [[input]]
  std::int64_t sent_ms = 0;                                 // the agent's clock, for lag only
  std::int64_t watermark_ms = kNoTime;             // event time up to which all is shipped (heartbeats)
  std::uint64_t lag_bytes = 0;                     // heartbeats: bytes the agent knows of and has not shipped
  LossCause loss_cause = LossCause::kNotReceived;  // losses
  friend bool operator==(const BatchHeader&, const BatchHeader&) = default;
};

struct DecodeLimits {
  std::uint64_t max_uncompressed_bytes = 32ULL << 20;
  std::uint32_t max_lines = 1U << 20;
  std::uint32_t max_strings = 1U << 20;  // of all columns, with one that says "absent"
  std::uint32_t max_rows = 1U << 16;     // of kWindows; so many sites, too
  // Bit i: the reader wants text column i. Others are left out of Columns, unread and unchecked.
  std::uint32_t text_columns = ~0U;
  bool extra_columns = true;
};

// What may be read of a line: with a longer one, alone in its batch, the limits above are passed.
inline constexpr std::uint64_t kMaxLineBytes = 16ULL << 20;

// Builds one batch at a time and keeps its buffers for the next: adding a line
// allocates nothing once they have grown. Not thread-safe.
class BatchBuilder {
 public:
  explicit BatchBuilder(int zstd_level = 1);
  ~BatchBuilder();
  BatchBuilder(BatchBuilder&&) noexcept;
  BatchBuilder& operator=(BatchBuilder&&) noexcept;

  // Starts a batch; forgets the one before. `extra_names` are those of the parser.
  void begin(std::vector<std::string> extra_names);
  // `line_bytes`: what the line occupies in the file, its '\n' included.
  void add(const Record& record, std::uint32_t line_bytes);
  void add_unparsed(std::string_view line, Unparsed reason, std::uint32_t line_bytes);
  void add_filtered(std::uint32_t line_bytes);  // blank, comment or excluded: counted, no record

  [[nodiscard]] std::uint32_t lines() const;
  [[nodiscard]] std::uint64_t content_bytes() const;  // sum of line_bytes
  // What the message would have of columns at most, even if nothing of them compressed.
  [[nodiscard]] std::uint64_t columns_bytes() const;
  // One more line, of at most kMaxLineBytes, might make a batch that readers refuse by their
  // DecodeLimits: finish this one first. Lines of a megabyte together fill one only when nearly all are
  // blank.
  [[nodiscard]] bool full() const;
  // header.range must be content_bytes() long. The message to put on the wire.
  [[nodiscard]] Result<std::string> finish(const BatchHeader& header);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

[[nodiscard]] Result<std::string> encode_heartbeat(const BatchHeader& header);
// header.range will never be sent: header.loss_cause says why.
[[nodiscard]] Result<std::string> encode_loss(const BatchHeader& header);
// A claim: all of header.range was acknowledged, so what the reader has not seen of it by now is a gap.
[[nodiscard]] Result<std::string> encode_claim(const BatchHeader& header);
// Sums instead of lines: what header.range comes to.
[[nodiscard]] Result<std::string> encode_windows(const BatchHeader& header, const FoldedLines& folded,
                                                 int zstd_level);

// True when the bytes claim to be a weir batch (its magic), decodable or not.
[[nodiscard]] bool looks_like_batch(std::string_view message);

// A column of texts of a decoded batch.
struct TextColumn {
  std::vector<std::string_view> strings;  // [0] is "absent"; views into the batch's memory
  std::vector<std::uint32_t> index;       // of each record, into `strings`; empty: the column is absent
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
  Columns columns;     // of kRecords
  FoldedLines folded;  // of kWindows

  // Row `i` as a Record; `extra_scratch` backs record.extra. Views live as long as *this.
  void record(std::size_t i, Record& out, std::vector<std::string_view>& extra_scratch) const;

  DecodedBatch() = default;
  DecodedBatch(DecodedBatch&&) = default;
  DecodedBatch& operator=(DecodedBatch&&) = default;
  // What the views point into; stable under moves.
  std::unique_ptr<std::string> buffer_;
  std::vector<std::unique_ptr<std::string>> addresses_;
};

// Every byte of `message` is hostile. Errors: kCorrupt (what is wrong, at which
// part), kInvalid (a version this reader does not know).
[[nodiscard]] Result<DecodedBatch> decode_batch(std::string_view message, const DecodeLimits& limits = {});

}  // namespace weir
