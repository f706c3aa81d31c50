#include "agent/tail/followed.h"

#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>
#include <tuple>

#include "proto/must.h"

namespace weir {
namespace {

constexpr std::size_t kReadBytes = 256 << 10;
// The least that is asked for at once: a line's end, mostly.
constexpr std::size_t kLeastReadBytes = 4 << 10;
constexpr std::size_t kTailHashBytes = 1024;
constexpr std::size_t kProofBytes = 256;
constexpr std::size_t kHeadScanBytes = 64 << 10;
// A longer line is counted as several: line_bytes of the wire has 32 bits.
constexpr std::uint64_t kMaxCutBytes = 1 << 30;
// How much of a log is added before the size of the message is looked at again.
constexpr std::uint64_t kLookAtSizeBytes = 8 << 10;
// Of a message beside its columns: ids, names and fields.
constexpr std::uint64_t kHeaderBytes = 16 << 10;

// 0: the base name; n: "access.log.n", also compressed; nothing: rotated, no telling how far.
std::optional<std::uint64_t> rotation_of(const std::string& path) {
  const auto family = log_family(path);
  if (family.size() >= path.size()) return 0;
  if (path[family.size()] != '.') return std::nullopt;  // a date
  std::uint64_t number = 0;
  const auto* begin = path.data() + family.size() + 1;
  const auto [end, error] = std::from_chars(begin, path.data() + path.size(), number);
  if (error != std::errc() || number > 9999 || (end != path.data() + path.size() && *end != '.'))
    return std::nullopt;
  return number;
}

std::string hash_of(std::string_view bytes) {
  const auto hash = XXH3_128bits(bytes.data(), bytes.size());
  return SourceId{hash.high64, hash.low64}.bytes();
}

// To assign {} would keep the memory.
void let_go(auto& container) {
  container.clear();
  container.shrink_to_fit();
}

// Keeps the last `keep` bytes of what `end` was and `bytes`.
void roll(std::string& end, std::string_view bytes, std::size_t keep) {
  if (bytes.size() >= keep) {
    end.assign(bytes.substr(bytes.size() - keep));
    return;
  }
  if (end.size() + bytes.size() > keep) end.erase(0, end.size() + bytes.size() - keep);
  end.append(bytes);
}

bool less_rotated(const std::string& a, const std::string& b) {
  const auto of_a = rotation_of(a);
  const auto of_b = rotation_of(b);
  return (of_a == 0U && of_b != 0U) || (of_a && of_b && *of_a < *of_b);
}

}  // namespace

bool older_generation(const std::string& a, const std::string& b) {
  const auto of_a = rotation_of(a);
  const auto of_b = rotation_of(b);
  const bool live_a = of_a == 0U;
  const bool live_b = of_b == 0U;
  if (live_a || live_b) return live_b && !live_a;
  if (of_a.has_value() != of_b.has_value()) return !of_a.has_value();
  if (of_a && *of_a != *of_b) return *of_a > *of_b;
  return a < b;  // dates
}

void LineBatch::begin(const LineParser& parser, const Contents& contents) {
  records_ = codec_ == Codec::kBatch && contents.records;
  windows_ = codec_ == Codec::kBatch && contents.windows;
  max_message_bytes_ = contents.max_message_bytes;
  look_again_at_ = kLookAtSizeBytes;
  large_ = false;
  extra_names_ = &parser.extra_names();
  if (records_) builder_.begin(parser.extra_names());
  if (windows_) folder_.begin(contents.fold, contents.site_field);
  text_.clear();
  content_bytes_ = 0;
  counts_ = {};
  last_time_ms_ = kNoTime;
}

// Not with each line: it costs more than some.
void LineBatch::look_at_size() {
  if (!records_ || content_bytes_ < look_again_at_) return;
  look_again_at_ = content_bytes_ + kLookAtSizeBytes;
  large_ = builder_.columns_bytes() + kHeaderBytes + 2 * kLookAtSizeBytes >= max_message_bytes_;
}

void LineBatch::filtered(std::uint32_t line_bytes) {
  if (records_) builder_.add_filtered(line_bytes);
  if (windows_) folder_.add_filtered();
}

void LineBatch::unparsed(std::string_view line, Unparsed reason, std::uint32_t line_bytes) {
  if (records_) builder_.add_unparsed(line, reason, line_bytes);
  if (windows_) folder_.add_unparsed(line, reason);
}

void LineBatch::add_line(std::string_view line, std::uint32_t line_bytes, LineParser& parser) {
  content_bytes_ += line_bytes;
  ++counts_.lines;
  Unparsed reason = Unparsed::kNoMatch;
  record_.clear();
  const auto outcome = parser.parse(line, record_, reason);
  if (outcome == LineParser::Outcome::kSkip) {
    ++counts_.filtered;
    filtered(line_bytes);
    return;
  }
  if (outcome == LineParser::Outcome::kUnparsed) ++counts_.unparsed;
  if (outcome == LineParser::Outcome::kRecord) last_time_ms_ = std::max(last_time_ms_, record_.time_ms);
  if (codec_ == Codec::kRaw) {
    text_.append(line);
  } else if (outcome == LineParser::Outcome::kUnparsed) {
    if (codec_ == Codec::kBatch) {
      unparsed(line, reason, line_bytes);
    } else {
      append_json_unparsed(text_, line, reason);
    }
  } else if (codec_ == Codec::kBatch) {
    if (records_) builder_.add(record_, line_bytes);
    if (windows_) folder_.add(record_);
    look_at_size();
  } else {
    append_json(text_, record_, *extra_names_);
  }
  if (codec_ != Codec::kBatch) text_.push_back('\n');
}

void LineBatch::add_cut(std::string_view head, std::uint32_t line_bytes) {
  content_bytes_ += line_bytes;
  ++counts_.lines;
  ++counts_.unparsed;
  ++counts_.truncated;
  if (codec_ == Codec::kBatch) {
    unparsed(head, Unparsed::kTooLong, line_bytes);
    look_at_size();
    return;
  }
  if (codec_ == Codec::kRaw) {
    text_.append(head);
  } else {
    append_json_unparsed(text_, head, Unparsed::kTooLong);
  }
  text_.push_back('\n');
}

void LineBatch::add_hole(std::uint32_t hole_bytes) {
  content_bytes_ += hole_bytes;
  ++counts_.lines;
  ++counts_.filtered;
  filtered(hole_bytes);
}

std::size_t LineBatch::add_lines(std::string_view bytes, std::uint64_t limit_bytes, std::uint64_t max_line,
                                 LineParser& parser) {
  std::size_t at = 0;
  while (content_bytes_ < limit_bytes && at < bytes.size() && bytes[at] != '\0' && !full()) {
    const auto* end = static_cast<const char*>(std::memchr(bytes.data() + at, '\n', bytes.size() - at));
    if (end == nullptr) break;
    const auto size = static_cast<std::size_t>(end - bytes.data()) - at;
    const auto line = bytes.substr(at, size);
    if (size > max_line) {
      add_cut(line.substr(0, max_line), static_cast<std::uint32_t>(size + 1));
    } else {
      add_line(line, static_cast<std::uint32_t>(size + 1), parser);
    }
    at += size + 1;
  }
  return at;
}

Result<std::string> LineBatch::finish(const BatchHeader& header) {
  if (codec_ == Codec::kBatch) return builder_.finish(header);
  return std::move(text_);
}

Result<std::string> LineBatch::finish_windows(const BatchHeader& header) {
  return encode_windows(header, folder_.finish(), zstd_level_);
}

void SentRanges::sent(std::uint64_t message_id, ByteRange range, std::string tail_hash) {
  entries_.push_back({message_id, range, std::move(tail_hash), false});
  ++outstanding_;
}

void SentRanges::settled(std::uint64_t message_id, bool acknowledged) {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& e) { return e.message_id == message_id; });
  if (found == entries_.end()) return;
  --outstanding_;
  if (acknowledged) {
    found->acknowledged = true;
  } else {
    failed_ = true;
  }
  // In order only: what lies behind a failed range is sent again with it, and counted once.
  while (!entries_.empty() && entries_.front().acknowledged) {
    acknowledged_offset_ = entries_.front().range.end;
    acknowledged_tail_ = std::move(entries_.front().tail_hash);
    entries_.erase(entries_.begin());
  }
  cuts_.erase(cuts_.begin(), std::upper_bound(cuts_.begin(), cuts_.end(), acknowledged_offset_));
  if (entries_.empty()) let_go(entries_);  // most rest
}

void SentRanges::check([[maybe_unused]] std::uint64_t offset) const {
#ifdef WEIR_MUST
  auto end = acknowledged_offset_;
  std::size_t outstanding = 0;
  for (const auto& entry : entries_) {
    MUST(entry.range.begin == end && entry.range.end > end,
         "ranges in flight follow each other without a hole");
    end = entry.range.end;
    outstanding += entry.acknowledged ? 0 : 1;
  }
  MUST(failed_ ? outstanding_ <= outstanding : outstanding_ == outstanding,
       "each range in flight is awaited, unless one failed");
  MUST(end <= offset, "nothing is in flight that was not read");
  for (std::size_t i = 1; i < cuts_.size(); ++i) MUST(cuts_[i - 1] < cuts_[i], "cuts ascend");
  MUST(cuts_.empty() || cuts_.front() > acknowledged_offset_, "cuts lie behind the acknowledged offset");
#endif
}

void SentRanges::rewound() {
  MUST(outstanding_ == 0, "reading starts again once nothing is awaited");
  entries_.clear();
  failed_ = false;
}

void SentRanges::take_back() {
  MUST(!entries_.empty() && outstanding_ > 0, "what is taken back was sent");
  entries_.pop_back();
  --outstanding_;
}

void SentRanges::cut_at(std::uint64_t end) {
  const auto at = std::lower_bound(cuts_.begin(), cuts_.end(), end);
  if (end > acknowledged_offset_ && (at == cuts_.end() || *at != end)) cuts_.insert(at, end);
}

std::uint64_t SentRanges::next_cut(std::uint64_t offset) const {
  const auto at = std::upper_bound(cuts_.begin(), cuts_.end(), offset);
  return at == cuts_.end() ? 0 : *at;
}

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

// Up to kTailHashBytes before offset_, as they are now.
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

// The bytes before offset_ must be those that were counted.
Result<void> LineReader::prove_start() {
  auto tail = read_tail();
  if (!tail) return std::unexpected(tail.error());
  rewritten_ = !is_expected(*tail);
  proved_ = !rewritten_;
  tail_ = std::move(*tail);
  recent_ = tail_.size() > kProofBytes ? tail_.substr(tail_.size() - kProofBytes) : tail_;
  return {};
}

// Nothing is held, and what is known of the bytes before is their hash, until the next fill().
void LineReader::rest() {
  expected_tail_ = hash_of(tail_);
  rest_tells_ = tells(recent_);
  proved_ = false;
  for (auto* bytes : {&tail_, &recent_, &pending_}) let_go(*bytes);
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
    // What is there now is what must be there from now on.
    if (auto proved = prove_start(); !proved) return std::unexpected(proved.error());
    return !rewritten_;
  }
  const auto tail = read_tail();
  if (!tail) return std::unexpected(tail.error());
  rest_tells_ = tells(std::string_view(*tail).substr(tail->size() - std::min(tail->size(), kProofBytes)));
  return is_expected(*tail);
}

// Reads on at position(). The bytes before are looked at after the read: whoever truncates and
// writes anew before it is noticed, whoever does so after it has taken nothing.
Result<std::size_t> LineReader::read_on(std::string& out, std::size_t size_bytes) {
  const auto from = position();
  // One for all sources of a thread: 10,000 of them must not keep one each.
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

void LineReader::consumed(std::string_view bytes) {
  roll(tail_, bytes, kTailHashBytes);
  offset_ += bytes.size();
}

// NULs where a line begins: a writer without O_APPEND went on at its old place after a
// truncation. They are counted by number, however many, once something lies behind them: until
// then they may be bytes that the file system has room for and not yet. True when some were taken.
bool LineReader::take_hole(LineBatch& batch) {
  if (hole_bytes_ == 0 && (pending_.empty() || pending_.front() != '\0')) return false;
  const auto end = pending_.find_first_not_of('\0');
  if (end == std::string::npos) {
    // One that takes no disk space is stepped over without being read.
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
  const auto hole = hole_bytes_ + end;
  for (auto left = hole; left > 0;) {
    const auto part = std::min<std::uint64_t>(left, kMaxCutBytes);
    batch.add_hole(static_cast<std::uint32_t>(part));
    left -= part;
  }
  roll(tail_, std::string(std::min<std::uint64_t>(hole, kTailHashBytes), '\0'), kTailHashBytes);
  offset_ += hole;
  hole_bytes_ = 0;
  pending_.erase(0, end);
  return true;
}

// The header of a W3C file says what its columns are, however far behind it the reading starts.
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
    // Of a line that goes on in the next block only its first byte and, of a directive, its text matter.
    bytes = std::string(rest.substr(0, rest.starts_with('#') ? kHeadScanBytes : 1));
  }
  return {};
}

// Keeps the head and drops the rest as it comes, so that a line without end needs no memory.
void LineReader::take_long_line(LineBatch& batch, std::string_view bytes) {
  const auto end = bytes.find('\n');
  const auto of_line = bytes.substr(0, end == std::string::npos ? end : end + 1);
  cut_bytes_ += of_line.size();
  roll(cut_tail_, of_line, kTailHashBytes);
  if (end == std::string::npos && cut_bytes_ < kMaxCutBytes) return;
  batch.add_cut(pending_, static_cast<std::uint32_t>(cut_bytes_));
  offset_ += cut_bytes_;
  tail_ = cut_tail_;
  cut_bytes_ = 0;
  pending_.assign(bytes.substr(of_line.size()));
}

Result<void> LineReader::fill(LineBatch& batch, std::uint64_t limit_bytes, LineParser& parser) {
  auto filled = read_lines(batch, limit_bytes, parser);
  if (at_end_ || rewritten_ || !proved_) return filled;
  // The others have their turns now. Ten thousand that are behind must not keep a block each: what was read
  // beyond the batch is read again, but for what is dear to read again.
  if (hole_bytes_ == 0 && cut_bytes_ == 0 && !content_->compressed()) {
    recent_ = tail_.size() > kProofBytes ? tail_.substr(tail_.size() - kProofBytes) : tail_;
    rest();
  } else if (pending_.capacity() > 2 * pending_.size() + 4096) {
    pending_.shrink_to_fit();
  }
  return filled;
}

// What the batch still takes, and no less than what waits for its line's end: it is searched anew each time.
std::size_t LineReader::next_read_bytes(const LineBatch& batch, std::uint64_t limit_bytes) const {
  if (cut_bytes_ > 0) return kReadBytes;
  const auto has = batch.content_bytes() + pending_.size();
  const auto left = limit_bytes > has ? limit_bytes - has : 0;
  return std::clamp<std::uint64_t>(std::max<std::uint64_t>(left, pending_.size()), kLeastReadBytes,
                                   kReadBytes);
}

Result<void> LineReader::read_lines(LineBatch& batch, std::uint64_t limit_bytes, LineParser& parser) {
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
        const auto used = hole_bytes_ > 0 ? 0 : batch.add_lines(pending_, limit_bytes, max_line_, parser);
        consumed(std::string_view(pending_).substr(0, used));
        pending_.erase(0, used);
      } while (batch.content_bytes() < limit_bytes && !batch.full() && take_hole(batch));
      if (batch.content_bytes() >= limit_bytes || batch.full()) return {};
      if (pending_.size() > max_line_) {
        cut_bytes_ = pending_.size();
        cut_tail_ = tail_;
        roll(cut_tail_, pending_, kTailHashBytes);
        pending_.resize(max_line_);
        pending_.shrink_to_fit();
      }
    } else if (batch.content_bytes() >= limit_bytes) {
      return {};
    }
    std::string of_long_line;
    const auto got = read_on(cut_bytes_ > 0 ? of_long_line : pending_, next_read_bytes(batch, limit_bytes));
    if (!got) return std::unexpected(got.error());
    if (*got == 0) break;
    if (cut_bytes_ > 0) take_long_line(batch, of_long_line);
  }
  if (rewritten_) return {};
  at_end_ = true;
  // A compressed file is finished: its last line is whole even without '\n'.
  if (content_->compressed() && content_->complete() && held() > 0) {
    const auto bytes = held();
    if (hole_bytes_ > 0) {
      batch.add_hole(static_cast<std::uint32_t>(std::min(bytes, kMaxCutBytes)));
      offset_ += std::min(bytes, kMaxCutBytes);
      hole_bytes_ -= std::min(bytes, kMaxCutBytes);
      return {};
    }
    if (cut_bytes_ > 0) {
      batch.add_cut(pending_, static_cast<std::uint32_t>(bytes));
      offset_ += bytes;
      tail_ = cut_tail_;
    } else {
      batch.add_line(pending_, static_cast<std::uint32_t>(bytes), parser);
      consumed(pending_);
    }
    pending_.clear();
    cut_bytes_ = 0;
  }
  if (pending_.capacity() > 2 * pending_.size() + 4096) pending_.shrink_to_fit();
  if (held() == 0 && !content_->compressed()) rest();
  return {};
}

namespace {

// Up to kHeadScanBytes of both, as far as the shorter goes.
Result<bool> begin_alike(Content& a, Content& b) {
  std::string of_a;
  std::string of_b;
  if (const auto got = read_whole(a, 0, kHeadScanBytes, of_a); !got) return std::unexpected(got.error());
  if (const auto got = read_whole(b, 0, kHeadScanBytes, of_b); !got) return std::unexpected(got.error());
  const auto shared = std::min(of_a.size(), of_b.size());
  return std::string_view(of_a).substr(0, shared) == std::string_view(of_b).substr(0, shared);
}

}  // namespace

Result<Relation> relation_to(Content& candidate, const FileFacts& facts, const std::string& path,
                             Content& followed, const std::vector<std::string>& followed_names) {
  const auto other = followed.facts();
  if (!other) return std::unexpected(other.error());
  // Rotation by rename: the bytes may agree, as they do when the same requests come within the
  // same second, and are new all the same. An unlinked file was replaced, by an editor say.
  const bool renamed_away = other->links > 0 && std::find(followed_names.begin(), followed_names.end(),
                                                          path) != followed_names.end();
  if (renamed_away) return Relation::kLookAlike;
  // The size of a compressed content is not known before its end: how both begin must do.
  if (candidate.compressed() || followed.compressed()) {
    const auto same = begin_alike(candidate, followed);
    if (!same) return std::unexpected(same.error());
    return *same ? Relation::kCopy : Relation::kLookAlike;
  }
  const auto shared = std::min(other->size_bytes, facts.size_bytes);
  const auto ours = tail_hash(candidate, shared);
  if (!ours) return std::unexpected(ours.error());
  const auto theirs = tail_hash(followed, shared);
  if (!theirs) return std::unexpected(theirs.error());
  if (*ours != *theirs) return Relation::kLookAlike;
  // A copy is rotated further than its original, and the original is never the shorter of the
  // two: what is shorter and nearer to the base name has been written anew.
  const bool shorter_is_newer = facts.size_bytes < other->size_bytes
                                    ? less_rotated(path, followed_names.back())
                                    : less_rotated(followed_names.back(), path);
  if (shared > 0 && facts.size_bytes != other->size_bytes && shorter_is_newer) return Relation::kLookAlike;
  return facts.size_bytes > other->size_bytes ? Relation::kContinues : Relation::kCopy;
}

namespace {

// Nothing: no line of `head` has data; "": the first that has is not known to its end.
std::optional<std::string_view> data_line_in(std::string_view head, bool complete) {
  for (auto rest = head; !rest.empty();) {
    const auto end = rest.find('\n');
    const bool whole = end != std::string_view::npos || rest.size() >= kFirstLineHashBytes || complete;
    const auto line = rest.substr(0, end);
    if (!line.empty() && line.front() != '#')
      return whole ? line.substr(0, kFirstLineHashBytes) : std::string_view();
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  return std::nullopt;
}

}  // namespace

Result<std::string> first_data_line(Content& content) {
  std::string head;
  // As a rule one short read has it: this is asked of each young file at each look.
  if (const auto got = content.read(0, kFirstLineHashBytes, head); !got) return std::unexpected(got.error());
  if (!head.starts_with('\0')) {
    if (const auto line = data_line_in(head, false); line && !line->empty()) return std::string(*line);
  }
  if (const auto got = read_whole(content, head.size(), kHeadScanBytes - head.size(), head); !got)
    return std::unexpected(got.error());
  if (head.starts_with('\0')) {
    // A hole that a writer without O_APPEND left.
    const auto data = content.data_from(0);
    head.clear();
    if (const auto again = read_whole(content, data, kHeadScanBytes, head); !again)
      return std::unexpected(again.error());
    head.erase(0, head.find_first_not_of('\0'));
  }
  if (const auto line = data_line_in(head, content.compressed() && content.complete()); line)
    return std::string(*line);
  // Nothing but comments in 64 KiB: these are then its identity.
  return head.size() >= kHeadScanBytes ? head.substr(0, kFirstLineHashBytes) : std::string();
}

Result<std::string> tail_hash(Content& content, std::uint64_t offset) {
  const auto size = std::min<std::uint64_t>(offset, kTailHashBytes);
  std::string bytes;
  const auto got = read_whole(content, offset - size, size, bytes);
  if (!got) return std::unexpected(got.error());
  return *got < size ? std::string() : hash_of(bytes);
}

Result<std::size_t> read_whole(Content& content, std::uint64_t offset, std::size_t size_bytes,
                               std::string& out) {
  std::size_t read = 0;
  while (read < size_bytes) {
    const auto got = content.read(offset + read, size_bytes - read, out);
    if (!got) return got;
    if (*got == 0) break;
    read += *got;
  }
  return read;
}

}  // namespace weir
