// Compares a file with a followed one.
#pragma once

#include <string>
#include <vector>

#include "agent/tail/content.h"
#include "proto/result.h"

namespace weir {

// How a file relates to one that is followed and has the same first line.
enum class Relation {
  kCopy,       // adds nothing: a copy made by copytruncate (perhaps still being written), or a compressed one
  kContinues,  // has the same bytes and more, so it replaced the other
  kLookAlike,  // has other bytes, or is a new file under a former name of the other
};
// `path` and `facts` belong to `candidate`. `followed_names` are all known names of the followed file, newest
// last. Errors: those of Content::read.
[[nodiscard]] Result<Relation> relation_to(Content& candidate, const FileFacts& facts,
                                           const std::string& path, Content& followed,
                                           const std::vector<std::string>& followed_names);

}  // namespace weir
