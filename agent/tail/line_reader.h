// Reads the lines of one file and notices when the file was truncated and rewritten.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "agent/format/parser.h"
#include "agent/tail/content.h"
#include "agent/tail/line_sink.h"

namespace weir {

// Reads a content forward and passes whole lines to a LineSink. Before it continues at an offset, it proves
// that the bytes before the offset are the ones it knows. So a file that was truncated and rewritten is never
// mistaken for a continuation of the old one, however large it has grown. Between two calls of fill() it
// keeps only a hash of these bytes, because many thousand files are waiting or idle.
class LineReader {
 public:
  // `expected_tail`: the tail_hash() of the bytes before `offset`, or "" if it is not known.
  LineReader(std::shared_ptr<Content> content, std::uint64_t offset, std::string expected_tail,
             std::uint64_t max_line)
      : content_(std::move(content)),
        offset_(offset),
        expected_tail_(std::move(expected_tail)),
        max_line_(max_line) {}
  // Fills `sink` up to limit_bytes or the end of the content. Errors: those of Content::read. Lines read
  // before the error are in the sink.
  [[nodiscard]] Result<void> fill(LineSink& sink, std::uint64_t limit_bytes, LineParser& parser);
  [[nodiscard]] std::uint64_t offset() const { return offset_; }             // sinks have all bytes before it
  [[nodiscard]] std::uint64_t position() const { return offset_ + held(); }  // of the next byte to read
  [[nodiscard]] bool at_end() const { return at_end_; }                      // as of the last fill()
  // The last fill() found that the bytes before had changed, and took no new ones.
  [[nodiscard]] bool rewritten() const { return rewritten_; }
  // Whether the bytes before position() are still those that were read. Errors: those of Content::read.
  [[nodiscard]] Result<bool> still_there();
  // Whether these bytes distinguish one file from another. An empty range or only NULs do not.
  [[nodiscard]] bool has_proof() const { return proved_ ? tells(recent_) : rest_tells_; }
  // The hash of the bytes before offset() as they were read. Before the first fill(), the expected hash.
  [[nodiscard]] std::string tail_hash() const;
  void rewind(std::uint64_t offset, std::string expected_tail);
  // Continues at offset() in another content, which must have the same bytes before that offset.
  void move_to(std::shared_ptr<Content> content);
  // Checks the invariants.
  void check() const;

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
  [[nodiscard]] Result<void> read_lines(LineSink& sink, std::uint64_t limit_bytes, LineParser& parser);
  [[nodiscard]] std::size_t next_read_bytes(const LineSink& sink, std::uint64_t limit_bytes) const;
  [[nodiscard]] Result<std::size_t> read_on(std::string& out, std::size_t size_bytes);
  void consumed(std::string_view bytes);
  void consumed(std::string_view end, std::uint64_t bytes);
  [[nodiscard]] bool take_hole(LineSink& sink);
  void add_hole(LineSink& sink);
  void take_long_line(LineSink& sink, std::string_view bytes);
  [[nodiscard]] Result<void> give_directives(LineParser& parser) const;

  std::shared_ptr<Content> content_;
  std::uint64_t offset_;
  std::string expected_tail_;
  std::uint64_t max_line_;
  bool proved_ = false;           // tail_ and recent_ are known; otherwise only expected_tail_
  bool rest_tells_ = false;       // has_proof() when those were last known
  std::string tail_;              // up to kTailHashBytes before offset_
  std::string recent_;            // up to kProofBytes before position()
  std::string pending_;           // bytes from offset_ on that are in no sink yet
  std::uint64_t hole_bytes_ = 0;  // NULs from offset_ on, before pending_
  // Bytes read so far of a line longer than max_line. Only its head is kept, in pending_.
  std::uint64_t cut_bytes_ = 0;
  std::string cut_tail_;  // becomes tail_ at the end of that line
  bool at_end_ = false;
  bool rewritten_ = false;
  bool directives_given_ = false;  // the parser has got the directives before offset_
};

}  // namespace weir
