#include "agent/ship/line_batch.h"

#include <algorithm>
#include <cstring>

#include "proto/must.h"

namespace weir {

Encoder& LineBatch::encoder_of(Codec codec) {
  auto found = std::ranges::find(made_, codec, &Made::codec);
  if (found == made_.end()) found = made_.insert(found, {codec, make_encoder(codec, zstd_level_)});
  return *found->encoder;
}

void LineBatch::begin(LineParser& parser, const std::vector<Codec>& codecs, const EncoderOptions& options) {
  MUST(!codecs.empty(), "a batch is for one codec at least");
  parser_ = &parser;
  encoders_.clear();
  for (const auto codec : codecs) {
    encoders_.push_back(&encoder_of(codec));
    MUST(std::ranges::count(codecs, codec) == 1, "a batch gives its lines to each encoder once");
    encoders_.back()->begin(parser.extra_names(), options);
  }
  content_bytes_ = 0;
  full_ = false;
  counts_ = {};
  last_time_ms_ = kNoTime;
}

void LineBatch::add(const ParsedLine& line) {
  MUST(!full_, "no line is added to a message that is full");
  content_bytes_ += line.line_bytes;
  ++counts_.lines;
  if (line.outcome == LineParser::Outcome::kUnparsed) ++counts_.unparsed;
  if (line.outcome == LineParser::Outcome::kSkip) ++counts_.filtered;
  for (auto* encoder : encoders_) full_ |= encoder->add(line);
}

void LineBatch::add_line(std::string_view line, std::uint32_t line_bytes) {
  ParsedLine parsed{.line = line, .record = record_, .line_bytes = line_bytes};
  record_.clear();
  parsed.outcome = parser_->parse(line, record_, parsed.reason);
  if (parsed.outcome == LineParser::Outcome::kRecord)
    last_time_ms_ = std::max(last_time_ms_, record_.time_ms);
  add(parsed);
}

void LineBatch::add_cut(std::string_view head, std::uint32_t line_bytes) {
  MUST(head.size() < line_bytes, "a line that is cut is longer than what is kept of it");
  ++counts_.truncated;
  add({.line = head,
       .record = record_,
       .outcome = LineParser::Outcome::kUnparsed,
       .reason = Unparsed::kTooLong,
       .line_bytes = line_bytes});
}

void LineBatch::add_hole(std::uint32_t hole_bytes) {
  add({.line = {}, .record = record_, .outcome = LineParser::Outcome::kSkip, .line_bytes = hole_bytes});
}

std::size_t LineBatch::add_lines(std::string_view bytes, std::uint64_t limit_bytes, std::uint64_t max_line) {
  std::size_t at = 0;
  while (content_bytes_ < limit_bytes && at < bytes.size() && bytes[at] != '\0' && !full_) {
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
  MUST(at <= bytes.size(), "no more bytes are taken than there are");
  return at;
}

Result<std::string> LineBatch::finish(Codec codec, const BatchHeader& header) {
  check();
  auto& encoder = encoder_of(codec);
  MUST(std::ranges::find(encoders_, &encoder) != encoders_.end(), "a payload is of a codec of this batch");
  MUST(!traits_of(codec).wants_claims || header.range.size() == content_bytes_,
       "the range of a message is as long as its lines");
  return encoder.finish(header);
}

bool LineBatch::crowded() const {
  return std::ranges::any_of(encoders_, [](const auto* encoder) { return encoder->crowded(); });
}

void LineBatch::check() const {
  MUST(counts_.unparsed + counts_.filtered <= counts_.lines, "each line is counted as one thing");
  MUST(counts_.truncated <= counts_.unparsed, "a line that was cut is unparsed");
  MUST(counts_.lines <= content_bytes_, "each line has a byte at least");
  MUST(!full_ || counts_.lines > 0, "a message without lines is not full");
}

}  // namespace weir
