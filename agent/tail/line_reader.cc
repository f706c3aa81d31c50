#include "agent/tail/line_reader.h"

#include <algorithm>
#include <tuple>

#include "agent/tail/proof.h"
#include "proto/must.h"

namespace weir {
namespace {

constexpr std::size_t kReadBytes = 256 << 10;
// The smallest read. It is usually enough to complete a line.
constexpr std::size_t kLeastReadBytes = 4 << 10;
constexpr std::size_t kProofBytes = 256;
// A longer line counts as several lines, because line_bytes has 32 bits on the wire.
constexpr std::uint64_t kMaxCutBytes = 1 << 30;

// Frees the memory. Assigning {} would keep it.
void release(auto& container) {
  container.clear();
  container.shrink_to_fit();
}

// Appends `bytes` to `end` and keeps the last `keep` bytes of the result.
void roll(std::string& end, std::string_view bytes, std::size_t keep) {
  if (bytes.size() >= keep) {
    end.assign(bytes.substr(bytes.size() - keep));
    return;
  }
  if (end.size() + bytes.size() > keep) end.erase(0, end.size() + bytes.size() - keep);
  end.append(bytes);
}

}  // namespace

void LineReader::rewind(std::uint64_t offset, std::string expected_tail) {
  offset_ = offset;
  expected_tail_ = std::move(expected_tail);
  proved_ = false;
  rewritten_ = false;
  pending_.clear();
  hole_bytes_ = cut_bytes_ = 0;
  at_end_ = false;
  directives_given_ = false;
}

void LineReader::move_to(std::shared_ptr<Content> content) {
  auto tail = tail_hash();
  content_ = std::move(content);
  rewind(offset_, std::move(tail));
}

std::string LineReader::tail_hash() const { return proved_ ? hash_of(tail_) : expected_tail_; }

// Up to kTailHashBytes before offset_, as the file has them now.
Result<std::string> LineReader::read_tail() const {
  const auto size = std::min<std::uint64_t>(offset_, kTailHashBytes);
  std::string tail;
  if (const auto got = read_whole(*content_, offset_ - size, size, tail); !got)
    return std::unexpected(got.error());
  return tail;
}

bool LineReader::is_expected(std::string_view tail) const {
  if (tail.size() < std::min<std::uint64_t>(offset_, kTailHashBytes)) return false;
  return expected_tail_.empty() || hash_of(tail) == expected_tail_;
}

// Checks that the bytes before offset_ are the bytes that were counted.
Result<void> LineReader::prove_start() {
  auto tail = read_tail();
  if (!tail) return std::unexpected(tail.error());
  rewritten_ = !is_expected(*tail);
  proved_ = !rewritten_;
  tail_ = std::move(*tail);
  recent_ = tail_.size() > kProofBytes ? tail_.substr(tail_.size() - kProofBytes) : tail_;
  return {};
}

// Drops all bytes until the next fill(). Keeps only the hash of the bytes before offset_.
void LineReader::rest() {
  expected_tail_ = hash_of(tail_);
  rest_tells_ = tells(recent_);
  proved_ = false;
  for (auto* bytes : {&tail_, &recent_, &pending_}) release(*bytes);
}

Result<bool> LineReader::recent_at(std::uint64_t position) const {
  if (content_->compressed()) return true;
  std::string bytes;
  const auto got = read_whole(*content_, position - recent_.size(), recent_.size(), bytes);
  if (!got) return std::unexpected(got.error());
  return bytes == recent_;
}

Result<bool> LineReader::still_there() {
  if (content_->compressed()) return true;
  if (proved_) return recent_at(position());
  if (expected_tail_.empty()) {
    // The current bytes become the expected ones from now on.
    if (auto proved = prove_start(); !proved) return std::unexpected(proved.error());
    return !rewritten_;
  }
  const auto tail = read_tail();
  if (!tail) return std::unexpected(tail.error());
  rest_tells_ = tells(std::string_view(*tail).substr(tail->size() - std::min(tail->size(), kProofBytes)));
  return is_expected(*tail);
}

// Reads from position() on. The bytes before are checked after the read. A truncation before the read is
// noticed this way, and a later one cannot change bytes that were already read.
Result<std::size_t> LineReader::read_on(std::string& out, std::size_t size_bytes) {
  const auto from = position();
  // One block for all readers of a thread: 10,000 readers must not keep one each.
  thread_local std::string block;
  block.clear();
  const auto got = content_->read(from, size_bytes, block);
  if (!got || *got == 0) return got;
  const auto same = recent_at(from);
  if (!same) return std::unexpected(same.error());
  if (!*same) {
    rewritten_ = true;
    return std::size_t{0};
  }
  roll(recent_, block, kProofBytes);
  out.append(block);
  return got;
}

void LineReader::consumed(std::string_view bytes) { consumed(bytes, bytes.size()); }

// Moves offset_ past `bytes` bytes, which end with `end`.
void LineReader::consumed(std::string_view end, std::uint64_t bytes) {
  roll(tail_, end, kTailHashBytes);
  offset_ += bytes;
}

// Handles NULs at the start of a line: after a truncation, a writer without O_APPEND continued at its old
// offset. The NULs are counted once data follows them. Until then they may be bytes that the file system has
// allocated but that are not written yet. Returns true once the hole, if there was one, has been passed.
bool LineReader::take_hole(LineSink& sink) {
  if (hole_bytes_ == 0 && (pending_.empty() || pending_.front() != '\0')) return false;
  const auto end = pending_.find_first_not_of('\0');
  if (end == std::string::npos) {
    // A hole without disk space is skipped without reading it.
    const auto facts = content_->facts();
    const auto data = content_->data_from(position());
    if (facts && data > position() && data < facts->size_bytes) {
      hole_bytes_ = data - offset_;
      recent_.assign(std::min<std::uint64_t>(data, kProofBytes), '\0');
    } else {
      hole_bytes_ += pending_.size();
    }
    pending_.clear();
    return false;
  }
  hole_bytes_ += end;
  pending_.erase(0, end);
  while (hole_bytes_ > 0 && !sink.full()) add_hole(sink);
  return hole_bytes_ == 0;
}

// Adds the known part of the hole, at most as much as one line may have.
void LineReader::add_hole(LineSink& sink) {
  const auto part = std::min<std::uint64_t>(hole_bytes_, kMaxCutBytes);
  sink.add_hole(static_cast<std::uint32_t>(part));
  consumed(std::string(std::min<std::uint64_t>(part, kTailHashBytes), '\0'), part);
  hole_bytes_ -= part;
}

// Passes the directives before offset_ to the parser. The header of a W3C file names the columns, no matter
// how far after it the reading starts.
Result<void> LineReader::give_directives(LineParser& parser) const {
  std::string bytes;
  Record unused;
  Unparsed reason{};
  for (std::uint64_t at = 0; at < offset_;) {
    const auto got = content_->read(at, std::min<std::uint64_t>(kReadBytes, offset_ - at), bytes);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) break;
    at += *got;
    std::string_view rest = bytes;
    for (auto end = rest.find('\n'); end != std::string_view::npos; end = rest.find('\n')) {
      if (rest.starts_with('#')) std::ignore = parser.parse(rest.substr(0, end), unused, reason);
      rest.remove_prefix(end + 1);
    }
    // The line continues in the next block. Only its first byte matters, or its text if it is a directive.
    bytes = std::string(rest.substr(0, rest.starts_with('#') ? kHeadScanBytes : 1));
  }
  return {};
}

// Keeps the head of the line and drops the rest as it is read, so an endless line needs no memory.
void LineReader::take_long_line(LineSink& sink, std::string_view bytes) {
  const auto end = bytes.find('\n');
  const auto of_line = bytes.substr(0, end == std::string::npos ? end : end + 1);
  cut_bytes_ += of_line.size();
  roll(cut_tail_, of_line, kTailHashBytes);
  if (end == std::string::npos && cut_bytes_ < kMaxCutBytes) return;
  sink.add_cut(pending_, static_cast<std::uint32_t>(cut_bytes_));
  offset_ += cut_bytes_;
  tail_ = cut_tail_;
  cut_bytes_ = 0;
  pending_.assign(bytes.substr(of_line.size()));
}

void LineReader::check() const {
  MUST(hole_bytes_ == 0 || cut_bytes_ == 0, "a line begins behind a hole, not in it");
  MUST(cut_bytes_ == 0 || pending_.size() == max_line_, "of a line that is cut its head is kept");
  MUST(cut_bytes_ == 0 || cut_bytes_ >= pending_.size(), "the head of a line is no longer than the line");
  MUST(proved_ || held() == 0, "a reader holds bytes only while it knows those before them");
  MUST(!proved_ || tail_.size() == std::min<std::uint64_t>(offset_, kTailHashBytes),
       "a reader knows the bytes before its offset");
  MUST(!proved_ || recent_.size() == std::min<std::uint64_t>(position(), kProofBytes),
       "a reader knows the bytes before its position");
}

Result<void> LineReader::fill(LineSink& sink, std::uint64_t limit_bytes, LineParser& parser) {
  [[maybe_unused]] const auto begin = offset_;
  [[maybe_unused]] const auto had_bytes = sink.content_bytes();
  auto filled = read_lines(sink, limit_bytes, parser);
  MUST(offset_ - begin == sink.content_bytes() - had_bytes,
       "each byte before the offset is in the sink once");
  if (at_end_ || rewritten_ || !proved_) return filled;
  // Other sources take their turns now, and ten thousand sources with unread data must not keep a block each.
  // So the bytes read beyond the batch are read again later, except where reading again is expensive.
  if (hole_bytes_ == 0 && cut_bytes_ == 0 && !content_->compressed()) {
    recent_ = tail_.size() > kProofBytes ? tail_.substr(tail_.size() - kProofBytes) : tail_;
    rest();
  } else if (pending_.capacity() > 2 * pending_.size() + 4096) {
    pending_.shrink_to_fit();
  }
  return filled;
}

// As much as the sink still takes, but at least as much as is pending without an end of line, because the
// pending bytes are searched again after each read.
std::size_t LineReader::next_read_bytes(const LineSink& sink, std::uint64_t limit_bytes) const {
  if (cut_bytes_ > 0) return kReadBytes;
  const auto has = sink.content_bytes() + pending_.size();
  const auto left = limit_bytes > has ? limit_bytes - has : 0;
  return std::clamp<std::uint64_t>(std::max<std::uint64_t>(left, pending_.size()), kLeastReadBytes,
                                   kReadBytes);
}

Result<void> LineReader::read_lines(LineSink& sink, std::uint64_t limit_bytes, LineParser& parser) {
  at_end_ = false;
  if (!proved_) {
    if (auto proved = prove_start(); !proved) return proved;
    if (rewritten_) return {};
  }
  if (!directives_given_) {
    if (parser.reads_directives()) {
      if (auto given = give_directives(parser); !given) return given;
    }
    directives_given_ = true;
  }
  for (;;) {
    if (cut_bytes_ == 0) {
      do {
        const auto used = hole_bytes_ > 0 ? 0 : sink.add_lines(pending_, limit_bytes, max_line_);
        consumed(std::string_view(pending_).substr(0, used));
        pending_.erase(0, used);
      } while (sink.content_bytes() < limit_bytes && !sink.full() && take_hole(sink));
      if (sink.content_bytes() >= limit_bytes || sink.full()) return {};
      if (pending_.size() > max_line_) {
        cut_bytes_ = pending_.size();
        cut_tail_ = tail_;
        roll(cut_tail_, pending_, kTailHashBytes);
        pending_.resize(max_line_);
        pending_.shrink_to_fit();
      }
    } else if (sink.content_bytes() >= limit_bytes) {
      return {};
    }
    std::string of_long_line;
    const auto got = read_on(cut_bytes_ > 0 ? of_long_line : pending_, next_read_bytes(sink, limit_bytes));
    if (!got) return std::unexpected(got.error());
    if (*got == 0) break;
    if (cut_bytes_ > 0) take_long_line(sink, of_long_line);
  }
  if (rewritten_) return {};
  at_end_ = true;
  // A complete compressed file does not grow, so its last line is whole even without '\n'.
  if (content_->compressed() && content_->complete() && held() > 0) {
    const auto bytes = held();
    if (hole_bytes_ > 0) {
      add_hole(sink);
      return {};
    }
    if (cut_bytes_ > 0) {
      sink.add_cut(pending_, static_cast<std::uint32_t>(bytes));
      offset_ += bytes;
      tail_ = cut_tail_;
    } else {
      sink.add_line(pending_, static_cast<std::uint32_t>(bytes));
      consumed(pending_);
    }
    pending_.clear();
    cut_bytes_ = 0;
  }
  if (pending_.capacity() > 2 * pending_.size() + 4096) pending_.shrink_to_fit();
  if (held() == 0 && !content_->compressed()) rest();
  return {};
}

}  // namespace weir
