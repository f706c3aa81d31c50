// Reads messages of other shippers: a JSON object written by weir's own json codec, by Filebeat, Fluent Bit
// or Vector (with the line in a string), or a raw line. Pure.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "agent/format/parser.h"

namespace weir {

class ForeignReader {
 public:
  // `format` applies to raw lines and to the line inside a JSON object. Errors: the format does not compile.
  [[nodiscard]] static Result<std::unique_ptr<ForeignReader>> create(const FormatSpec& format);
  ~ForeignReader();

  enum class Outcome { kRecord, kSkip, kUnparsed };
  struct Reading {
    Record record;
    std::string_view host;  // the machine that logged it; "" if the message does not say
    std::string reason;     // of kUnparsed: one sentence
  };
  // Views in `out` are valid until the next call, but only while `payload` is.
  [[nodiscard]] Outcome read(std::string_view payload, Reading& out);

 private:
  ForeignReader();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
