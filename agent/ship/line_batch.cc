#include "agent/ship/line_batch.h"

#include <algorithm>
#include <cstring>

namespace weir {
namespace {

// How much of a log is added before the size of the message is looked at again.
constexpr std::uint64_t kLookAtSizeBytes = 8 << 10;
// Of a message beside its columns: ids, names and fields.
constexpr std::uint64_t kHeaderBytes = 16 << 10;

}  // namespace

void LineBatch::begin(LineParser& parser, const Contents& contents) {
  records_ = codec_ == Codec::kBatch && contents.records;
  windows_ = codec_ == Codec::kBatch && contents.windows;
  max_message_bytes_ = contents.max_message_bytes;
  look_again_at_ = kLookAtSizeBytes;
  large_ = false;
  parser_ = &parser;
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

void LineBatch::add_line(std::string_view line, std::uint32_t line_bytes) {
  content_bytes_ += line_bytes;
  ++counts_.lines;
  Unparsed reason = Unparsed::kNoMatch;
  record_.clear();
  const auto outcome = parser_->parse(line, record_, reason);
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
    append_json(text_, record_, parser_->extra_names());
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

std::size_t LineBatch::add_lines(std::string_view bytes, std::uint64_t limit_bytes, std::uint64_t max_line) {
  std::size_t at = 0;
  while (content_bytes_ < limit_bytes && at < bytes.size() && bytes[at] != '\0' && !full()) {
    const auto* end = static_cast<const char*>(std::memchr(bytes.data() + at, '\n', bytes.size() - at));
    if (end == nullptr) break;
    const auto size = static_cast<std::size_t>(end - bytes.data()) - at;
    const auto line = bytes.substr(at, size);
    if (size > max_line) {
      add_cut(line.substr(0, max_line), static_cast<std::uint32_t>(size + 1));
    } else {
      add_line(line, static_cast<std::uint32_t>(size + 1));
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

}  // namespace weir
