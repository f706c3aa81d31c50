// An encoder turns parsed lines into the payload of one message. Several encoders may get the same lines,
// which are parsed only once. To add an encoder, write a class, a factory in encoders.h and a row in
// encoder.cc.
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
  // A message of records does not exceed this, even if nothing in it compresses. Only its last line may.
  std::uint64_t max_message_bytes = ~0ULL;
  FoldConfig fold;
  std::string_view site_field;  // the field "site" of the input
};

// The result of parsing one line. Everything it refers to is valid during Encoder::add() only.
struct ParsedLine {
  std::string_view line;  // without its '\n'; only the beginning of a truncated line
  const Record& record;   // for kRecord
  LineParser::Outcome outcome = LineParser::Outcome::kSkip;
  Unparsed reason{};             // for kUnparsed
  std::uint32_t line_bytes = 0;  // in the file, with the '\n'
};

class Encoder {
 public:
  virtual ~Encoder() = default;
  // Starts a message and forgets the previous one. `extra_names` are the parser's. Both arguments must stay
  // valid until the next begin().
  virtual void begin(const std::vector<std::string>& extra_names, const EncoderOptions& options) = 0;
  // Adds a line. True: the message is full and takes no more lines until the next begin().
  [[nodiscard]] virtual bool add(const ParsedLine& line) = 0;
  // Returns the payload. Call it once per begin(). Errors: those of the encoding; each is a bug.
  [[nodiscard]] virtual Result<std::string> finish(const BatchHeader& header) = 0;
  // Whether the message is full because its lines touch too many windows or sites.
  [[nodiscard]] virtual bool crowded() const { return false; }
};

[[nodiscard]] std::unique_ptr<Encoder> make_encoder(Codec codec, int zstd_level);

}  // namespace weir
