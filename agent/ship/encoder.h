// An encoder turns parsed lines into the payload of one message. Several encoders may get the same lines,
// which are parsed once. How to add one: a class, a maker in encoders.h and a row in encoder.cc.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/format/parser.h"
#include "agent/ship/codec.h"
#include "proto/batch.h"
#include "proto/window.h"

namespace weir {

struct EncoderOptions {
  // A message of records is not larger than this even if nothing in it compresses, except for its last line.
  std::uint64_t max_message_bytes = ~0ULL;
  FoldConfig fold;
  std::string_view site_field;  // field "site" of the input
};

// What became of one line. All that it refers to is valid during Encoder::add() only.
struct ParsedLine {
  std::string_view line;  // without its '\n'; of a line that was cut, its beginning
  const Record& record;   // of kRecord
  LineParser::Outcome outcome = LineParser::Outcome::kSkip;
  Unparsed reason{};             // of kUnparsed
  std::uint32_t line_bytes = 0;  // in the file, with the '\n'
};

class Encoder {
 public:
  virtual ~Encoder() = default;
  // Starts a message and forgets the one before. `extra_names` are the parser's. Both arguments are used
  // until the next begin().
  virtual void begin(const std::vector<std::string>& extra_names, const EncoderOptions& options) = 0;
  // Adds a line. True: the message is full, and takes no line before the next begin().
  [[nodiscard]] virtual bool add(const ParsedLine& line) = 0;
  // The payload. Called once per begin(). Errors: those of the encoding; they are bugs.
  [[nodiscard]] virtual Result<std::string> finish(const BatchHeader& header) = 0;
  // The message is full because its lines touch too many windows or sites.
  [[nodiscard]] virtual bool crowded() const { return false; }
};

[[nodiscard]] std::unique_ptr<Encoder> make_encoder(Codec codec, int zstd_level);

}  // namespace weir
