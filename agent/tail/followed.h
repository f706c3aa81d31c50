// One source that the agent follows: where it is in the file, and which lines make the
// next batch. No libuv, no output: the engine drives it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/format/parser.h"
#include "agent/tail/content.h"
#include "proto/batch.h"
#include "proto/source_id.h"
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
class LineBatch {
 public:
  LineBatch(Codec codec, int zstd_level) : codec_(codec), zstd_level_(zstd_level), builder_(zstd_level) {}
  void begin(const LineParser& parser, const Contents& contents = {});
  // Adds the whole lines of `bytes` until `limit_bytes` of content are in, or a line begins with
  // NUL: a hole, maybe. Returns how many bytes that were.
  std::size_t add_lines(std::string_view bytes, std::uint64_t limit_bytes, std::uint64_t max_line,
                        LineParser& parser);
  // A line that may lack its '\n' (the last of a finished file).
  void add_line(std::string_view line, std::uint32_t line_bytes, LineParser& parser);
  // A line longer than max_line: its beginning, and all its bytes.
  void add_cut(std::string_view head, std::uint32_t line_bytes);
  // NULs at the start of a line, where a writer without O_APPEND left a hole: counted as filtered.
  void add_hole(std::uint32_t hole_bytes);
  [[nodiscard]] Result<std::string> finish(const BatchHeader& header);
  [[nodiscard]] Result<std::string> finish_windows(const BatchHeader& header);

  [[nodiscard]] std::uint64_t content_bytes() const { return content_bytes_; }
  [[nodiscard]] bool full() const {
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
  const std::vector<std::string>* extra_names_ = nullptr;
  std::uint64_t content_bytes_ = 0;
  Counts counts_;
  std::int64_t last_time_ms_ = kNoTime;
  Record record_;
};

// What is in flight of a source: ranges in the order they were sent.
class SentRanges {
 public:
  // `tail_hash`: of the bytes before acknowledged_offset, see tail_hash(); "" not known.
  SentRanges(std::uint64_t acknowledged_offset, std::string tail_hash)
      : acknowledged_offset_(acknowledged_offset), acknowledged_tail_(std::move(tail_hash)) {}
  // `tail_hash`: of the bytes before range.end, as they were when they were read.
  void sent(std::uint64_t message_id, ByteRange range, std::string tail_hash);
  // One settled; false: not ours.
  void settled(std::uint64_t message_id, bool acknowledged);
  [[nodiscard]] std::uint64_t acknowledged_offset() const { return acknowledged_offset_; }
  [[nodiscard]] const std::string& acknowledged_tail() const { return acknowledged_tail_; }
  // Nothing is in flight.
  [[nodiscard]] bool idle() const { return outstanding_ == 0; }
  [[nodiscard]] std::size_t in_flight() const { return entries_.size(); }
  // One failed: once idle(), reading starts again at acknowledged_offset().
  [[nodiscard]] bool failed() const { return failed_; }
  void rewound();
  // Its invariants; `offset`: the reader's.
  void check(std::uint64_t offset) const;
  // The newest was not sent after all.
  void take_back();

  // Where batches that cannot be cut end, behind acknowledged_offset. What was cut once is cut there again.
  void cut_at(std::uint64_t end);
  [[nodiscard]] std::uint64_t next_cut(std::uint64_t offset) const;  // the first behind it; 0: none
  [[nodiscard]] const std::vector<std::uint64_t>& cuts() const { return cuts_; }

 private:
  struct Entry {
    std::uint64_t message_id;
    ByteRange range;
    std::string tail_hash;
    bool acknowledged = false;
  };
  std::uint64_t acknowledged_offset_;
  std::string acknowledged_tail_;
  std::vector<Entry> entries_;       // few, and none of most sources: a deque would hold 600 bytes for those
  std::vector<std::uint64_t> cuts_;  // ascending
  std::size_t outstanding_ = 0;
  bool failed_ = false;
};

// Reads forward through a content and hands whole lines to a LineBatch. Before it goes on
// anywhere it proves that the bytes before are those that it knows: a file that was truncated
// and written anew, however large it is by now, is never spliced to the old one. Between two fill()s
// it forgets these bytes and keeps their hash: many thousand files wait or rest.
class LineReader {
 public:
  // `expected_tail`: tail_hash() of the bytes before `offset`; "" when it is not known.
  LineReader(std::shared_ptr<Content> content, std::uint64_t offset, std::string expected_tail,
             std::uint64_t max_line)
      : content_(std::move(content)),
        offset_(offset),
        expected_tail_(std::move(expected_tail)),
        max_line_(max_line) {}
  // Fills `batch` up to limit_bytes or the end. Errors: those of Content::read; lines that
  // were read before are in the batch.
  [[nodiscard]] Result<void> fill(LineBatch& batch, std::uint64_t limit_bytes, LineParser& parser);
  [[nodiscard]] std::uint64_t offset() const { return offset_; }             // all before is in batches
  [[nodiscard]] std::uint64_t position() const { return offset_ + held(); }  // of the next byte to read
  [[nodiscard]] bool at_end() const { return at_end_; }                      // as of the last fill()
  // The file has other bytes than those that were read: as of the last fill(), which read none of them.
  [[nodiscard]] bool rewritten() const { return rewritten_; }
  // Whether the bytes before position() are still those that were read. Errors: those of Content::read.
  [[nodiscard]] Result<bool> still_there();
  // Whether these bytes tell one file from another: nothing, or NULs, do not.
  [[nodiscard]] bool has_proof() const { return proved_ ? tells(recent_) : rest_tells_; }
  // Hash of the bytes before offset(), as they were read; "" before the first fill().
  [[nodiscard]] std::string tail_hash() const;
  void rewind(std::uint64_t offset, std::string expected_tail);
  // Goes on at offset() in another content, which must have the same bytes before it.
  void move_to(std::shared_ptr<Content> content);

 private:
  [[nodiscard]] std::uint64_t held() const {
    return hole_bytes_ + (cut_bytes_ > 0 ? cut_bytes_ : pending_.size());
  }
  [[nodiscard]] static bool tells(std::string_view bytes) {
    return bytes.find_first_not_of('\0') != std::string_view::npos;
  }
  [[nodiscard]] Result<std::string> read_tail() const;
  [[nodiscard]] bool is_expected(std::string_view tail) const;
  [[nodiscard]] Result<void> prove_start();
  void rest();
  [[nodiscard]] Result<bool> recent_at(std::uint64_t position) const;
  [[nodiscard]] Result<void> read_lines(LineBatch& batch, std::uint64_t limit_bytes, LineParser& parser);
  [[nodiscard]] std::size_t next_read_bytes(const LineBatch& batch, std::uint64_t limit_bytes) const;
  [[nodiscard]] Result<std::size_t> read_on(std::string& out, std::size_t size_bytes);
  void consumed(std::string_view bytes);
  [[nodiscard]] bool take_hole(LineBatch& batch);
  void take_long_line(LineBatch& batch, std::string_view bytes);
  [[nodiscard]] Result<void> give_directives(LineParser& parser) const;

  std::shared_ptr<Content> content_;
  std::uint64_t offset_;
  std::string expected_tail_;
  std::uint64_t max_line_;
  bool proved_ = false;           // tail_ and recent_ are known; else expected_tail_ is
  bool rest_tells_ = false;       // has_proof(), as of when they were last known
  std::string tail_;              // up to kTailHashBytes before offset_
  std::string recent_;            // up to kProofBytes before position()
  std::string pending_;           // bytes from offset_ that are not in a batch yet
  std::uint64_t hole_bytes_ = 0;  // NULs from offset_ on, before pending_
  // A line longer than max_line: only its head is kept, in pending_.
  std::uint64_t cut_bytes_ = 0;
  std::string cut_tail_;  // what tail_ is once that line has ended
  bool at_end_ = false;
  bool rewritten_ = false;
  bool directives_given_ = false;  // those before offset_ are known to the parser
};

// Of one family, by the rotation suffix alone: access.log.2.gz before access.log.1 before access.log,
// access.log-20261123 before access.log-20261124 before access.log.
[[nodiscard]] bool older_generation(const std::string& a, const std::string& b);

// What a file is to one that is followed and has the same first line.
enum class Relation {
  kCopy,       // adds nothing: copytruncate's, also while it is being written; compressed beside it
  kContinues,  // the same bytes and more: took the place of the other
  kLookAlike,  // other bytes, or a new file under a name that the other was renamed away from
};
// `path` and `facts` are of `candidate`; `followed_names` all that the followed file is known to
// have had. Errors: those of Content::read.
[[nodiscard]] Result<Relation> relation_to(Content& candidate, const FileFacts& facts,
                                           const std::string& path, Content& followed,
                                           const std::vector<std::string>& followed_names);

// The first data line of a content, for its SourceId: "" while there is no whole one.
// Comment lines ('#') and a hole of NULs are skipped; at most kFirstLineHashBytes.
[[nodiscard]] Result<std::string> first_data_line(Content& content);
// Content::read() until size_bytes are there or the end has come; how many that were.
[[nodiscard]] Result<std::size_t> read_whole(Content& content, std::uint64_t offset, std::size_t size_bytes,
                                             std::string& out);
// Hash of up to 1 KiB before `offset`; "" when the content has not that many bytes.
[[nodiscard]] Result<std::string> tail_hash(Content& content, std::uint64_t offset);

}  // namespace weir
