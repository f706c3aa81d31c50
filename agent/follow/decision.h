// What to do with one file that the globs found. A scan makes the decision, the core acts on it, and
// `weir-agent plan` prints it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "agent/follow/identity.h"
#include "agent/follow/source.h"

namespace weir {

struct Decision {
  enum class Kind : std::uint8_t {
    kNothing,  // not followed now; see `why` and `trouble`
    kReopen,   // `source` is followed but returns errors; its file is reopened
    kMove,     // `source` is in memory and continues in this file
    kFollow,   // a source that starts or resumes at `offset`
  };
  Kind kind = Kind::kNothing;
  std::string path;
  std::string why;      // the reason in words; empty: nothing to report
  std::string trouble;  // a sentence for the operator; empty: nothing is wrong
  std::string trouble_about;

  SourceId id;  // empty: nothing would be read
  std::uint64_t offset = 0, origin = 0;
  std::uint64_t size_bytes = 0;  // of the content; 0: not known, because it is compressed
  std::string tail_hash;         // of the bytes before `offset`, if known

  std::shared_ptr<Source> source;  // kReopen, kMove
  // kMove, kFollow: the opened file.
  std::shared_ptr<Content> content;
  FileFacts facts;
  const InputConfig* input = nullptr;
  std::shared_ptr<LineParser> parser;  // kFollow
  Identity identity;                   // kFollow
};

}  // namespace weir
