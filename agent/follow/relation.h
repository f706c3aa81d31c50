// How a file relates to one that is followed.
#pragma once

#include <string>
#include <vector>

#include "agent/tail/content.h"
#include "proto/result.h"

namespace weir {

// How a file relates to one that is followed and has the same first line.
enum class Relation {
  kCopy,       // adds nothing: made by copytruncate (perhaps still being written), or compressed beside it
  kContinues,  // has the same bytes and more: it replaced the other
  kLookAlike,  // has other bytes, or is a new file under a name that the other was renamed from
};
// `path` and `facts` belong to `candidate`. `followed_names` are all names that the followed file is known to
// have had, the newest last. Errors: those of Content::read.
[[nodiscard]] Result<Relation> relation_to(Content& candidate, const FileFacts& facts,
                                           const std::string& path, Content& followed,
                                           const std::vector<std::string>& followed_names);

}  // namespace weir
