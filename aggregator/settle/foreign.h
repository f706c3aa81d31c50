// Messages of other shippers: a JSON object written by weir's own json codec, by Filebeat, Fluent Bit or
// Vector (with the line in a string), or a raw line. Pure.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "agent/format/parser.h"

namespace weir {

class ForeignReader {
 public:
  // `format` is that of raw lines and of the line inside a JSON object. Errors: it does not compile.
  [[nodiscard]] static Result<std::unique_ptr<ForeignReader>> create(const FormatSpec& format);
  ~ForeignReader();

  enum class Outcome { kRecord, kSkip, kUnparsed };
  struct Reading {
    Record record;
    std::string_view host;  // the machine that logged it; "" when the message does not say
    std::string reason;     // kUnparsed: one sentence
  };
  // Views in `out` are valid until the next call, and no longer than `payload`.
  [[nodiscard]] Outcome read(std::string_view payload, Reading& out);

 private:
  ForeignReader();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
