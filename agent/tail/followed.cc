#include "agent/tail/followed.h"

#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>
#include <tuple>

namespace weir {
namespace {

constexpr std::size_t kReadBytes = 256 << 10;
constexpr std::size_t kTailHashBytes = 1024;
constexpr std::size_t kHeadScanBytes = 64 << 10;
// A longer line is counted as several: line_bytes of the wire has 32 bits.
constexpr std::uint64_t kMaxCutBytes = 1 << 30;

// 0: the base name; n: "access.log.n", also compressed; nothing: rotated, no telling how far.
std::optional<std::uint64_t> rotation_of(const std::string& path) {
  const auto family = log_family(path);
  if (family.size() >= path.size()) return 0;
  std::uint64_t number = 0;
  const auto* begin = path.data() + family.size() + 1;
  const auto [end, error] = std::from_chars(begin, path.data() + path.size(), number);
  if (error != std::errc() || (end != path.data() + path.size() && *end != '.')) return std::nullopt;
  return number;
}

bool less_rotated(const std::string& a, const std::string& b) {
  const auto of_a = rotation_of(a);
  const auto of_b = rotation_of(b);
  return (of_a == 0U && of_b != 0U) || (of_a && of_b && *of_a < *of_b);
}

}  // namespace

void LineBatch::begin(const LineParser& parser) {
  extra_names_ = &parser.extra_names();
  builder_.begin(parser.extra_names());
  text_.clear();
  content_bytes_ = 0;
  counts_ = {};
  last_time_ms_ = kNoTime;
}

void LineBatch::add_line(std::string_view line, std::uint32_t line_bytes, LineParser& parser) {
  content_bytes_ += line_bytes;
  ++counts_.lines;
  Unparsed reason = Unparsed::kNoMatch;
  record_.clear();
  const auto outcome = parser.parse(line, record_, reason);
  if (outcome == LineParser::Outcome::kSkip) {
    ++counts_.filtered;
    if (codec_ == Codec::kBatch) builder_.add_filtered(line_bytes);
    return;
  }
  if (outcome == LineParser::Outcome::kUnparsed) ++counts_.unparsed;
  if (outcome == LineParser::Outcome::kRecord) last_time_ms_ = std::max(last_time_ms_, record_.time_ms);
  if (codec_ == Codec::kRaw) {
    text_.append(line);
  } else if (outcome == LineParser::Outcome::kUnparsed) {
    if (codec_ == Codec::kBatch) {
      builder_.add_unparsed(line, reason, line_bytes);
    } else {
      append_json_unparsed(text_, line, reason);
    }
  } else if (codec_ == Codec::kBatch) {
    builder_.add(record_, line_bytes);
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
    builder_.add_unparsed(head, Unparsed::kTooLong, line_bytes);
    return;
  }
  if (codec_ == Codec::kRaw) {
    text_.append(head);
  } else {
    append_json_unparsed(text_, head, Unparsed::kTooLong);
  }
  text_.push_back('\n');
}

std::size_t LineBatch::add_lines(std::string_view bytes, std::uint64_t limit_bytes, std::uint64_t max_line,
                                 LineParser& parser) {
  std::size_t at = 0;
  while (content_bytes_ < limit_bytes && at < bytes.size()) {
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

void SentRanges::sent(std::uint64_t message_id, ByteRange range) {
  entries_.push_back({message_id, range, false});
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
    entries_.pop_front();
  }
}

void SentRanges::rewound() {
  entries_.clear();
  failed_ = false;
}

void LineReader::rewind(std::uint64_t offset) {
  offset_ = offset;
  pending_.clear();
  cut_bytes_ = 0;
  at_end_ = false;
  directives_given_ = false;
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
void LineReader::take_long_line(LineBatch& batch) {
  const auto end = scratch_.find('\n');
  cut_bytes_ += end == std::string::npos ? scratch_.size() : end + 1;
  if (end == std::string::npos && cut_bytes_ < kMaxCutBytes) return;
  batch.add_cut(pending_, static_cast<std::uint32_t>(cut_bytes_));
  offset_ += cut_bytes_;
  cut_bytes_ = 0;
  pending_.assign(scratch_, end == std::string::npos ? scratch_.size() : end + 1);
}

Result<void> LineReader::fill(LineBatch& batch, std::uint64_t limit_bytes, LineParser& parser) {
  at_end_ = false;
  if (!directives_given_) {
    if (parser.reads_directives()) {
      if (auto given = give_directives(parser); !given) return given;
    }
    directives_given_ = true;
  }
  for (;;) {
    if (cut_bytes_ == 0) {
      const auto used = batch.add_lines(pending_, limit_bytes, max_line_, parser);
      pending_.erase(0, used);
      offset_ += used;
      if (batch.content_bytes() >= limit_bytes) return {};
      if (pending_.size() > max_line_) {
        cut_bytes_ = pending_.size();
        pending_.resize(max_line_);
        pending_.shrink_to_fit();
      }
    } else if (batch.content_bytes() >= limit_bytes) {
      return {};
    }
    scratch_.clear();
    const auto got = content_->read(position(), kReadBytes, cut_bytes_ > 0 ? scratch_ : pending_);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) break;
    if (cut_bytes_ > 0) take_long_line(batch);
  }
  at_end_ = true;
  // A compressed file is finished: its last line is whole even without '\n'.
  if (content_->compressed() && held() > 0) {
    const auto bytes = held();
    if (cut_bytes_ > 0) {
      batch.add_cut(pending_, static_cast<std::uint32_t>(bytes));
    } else {
      batch.add_line(pending_, static_cast<std::uint32_t>(bytes), parser);
    }
    rewind(offset_ + bytes);
    at_end_ = true;
  }
  if (pending_.capacity() > 2 * kReadBytes && pending_.size() < kReadBytes / 2) pending_.shrink_to_fit();
  return {};
}

Result<Relation> relation_to(Content& candidate, const FileFacts& facts, const std::string& path,
                             Content& followed, const std::deque<std::string>& followed_names) {
  const auto other = followed.facts();
  if (!other) return std::unexpected(other.error());
  // Rotation by rename: the bytes may agree, as they do when the same requests come within the
  // same second, and are new all the same. An unlinked file was replaced, by an editor say.
  const bool renamed_away = other->links > 0 && std::find(followed_names.begin(), followed_names.end(),
                                                          path) != followed_names.end();
  if (renamed_away) return Relation::kLookAlike;
  // A compressed content has the size of its compression: its first line must do.
  if (candidate.compressed() || followed.compressed()) return Relation::kCopy;
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

Result<std::string> first_data_line(Content& content) {
  std::string head;
  const auto got = content.read(0, kHeadScanBytes, head);
  if (!got) return std::unexpected(got.error());
  std::string_view rest = head;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    const bool whole =
        end != std::string_view::npos || content.compressed() || rest.size() >= kFirstLineHashBytes;
    const auto line = rest.substr(0, end);
    if (!line.empty() && line.front() != '#')
      return whole ? std::string(line.substr(0, kFirstLineHashBytes)) : std::string();
    if (end == std::string_view::npos) break;
    rest.remove_prefix(end + 1);
  }
  // Nothing but comments in 64 KiB: these are then its identity.
  return head.size() >= kHeadScanBytes ? head.substr(0, kFirstLineHashBytes) : std::string();
}

Result<std::string> tail_hash(Content& content, std::uint64_t offset) {
  const auto size = std::min<std::uint64_t>(offset, kTailHashBytes);
  std::string bytes;
  while (bytes.size() < size) {
    const auto got = content.read(offset - size + bytes.size(), size - bytes.size(), bytes);
    if (!got) return std::unexpected(got.error());
    if (*got == 0) return std::string();
  }
  const auto hash = XXH3_128bits(bytes.data(), bytes.size());
  return SourceId{hash.high64, hash.low64}.bytes();
}

}  // namespace weir
