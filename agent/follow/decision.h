// What becomes of one file that the globs found: made by a look at it, acted on by the core, and printed by
// `weir-agent plan`.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "agent/follow/identity.h"
#include "agent/follow/source.h"

namespace weir {

struct Decision {
  enum class Kind : std::uint8_t {
    kNothing,  // it is not followed now; see why and trouble
    kReopen,   // `source` is followed and gives errors: its file is opened anew
    kMove,     // `source` is in memory and continues in this file
    kFollow,   // a source that begins, or resumes, at `offset`
  };
  Kind kind = Kind::kNothing;
  std::string path;
  std::string why;      // in words; empty: nothing to say
  std::string trouble;  // a sentence for the operator; empty: nothing is wrong
  std::string trouble_about;

  SourceId id;  // empty: nothing would be read
  std::uint64_t offset = 0, origin = 0;
  std::uint64_t size_bytes = 0;  // of the content; 0: not known, it is compressed
  std::string tail_hash;         // of the bytes before `offset`, as far as known

  std::shared_ptr<Source> source;  // kReopen, kMove
  // Of kMove and kFollow: the file, opened.
  std::shared_ptr<Content> content;
  FileFacts facts;
  const InputConfig* input = nullptr;
  std::shared_ptr<LineParser> parser;  // kFollow
  Identity identity;                   // kFollow
};

}  // namespace weir
