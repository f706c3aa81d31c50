// What a file is to one that is followed.
#pragma once

#include <string>
#include <vector>

#include "agent/tail/content.h"
#include "proto/result.h"

namespace weir {

// What a file is to one that is followed and has the same first line.
enum class Relation {
  kCopy,       // adds nothing: copytruncate's, also while it is being written; compressed beside it
  kContinues,  // the same bytes and more: took the place of the other
  kLookAlike,  // other bytes, or a new file under a name that the other was renamed away from
};
// `path` and `facts` are of `candidate`; `followed_names` all that the followed file is known to
// have had. Errors: those of Content::read.
[[nodiscard]] Result<Relation> relation_to(Content& candidate, const FileFacts& facts,
                                           const std::string& path, Content& followed,
                                           const std::vector<std::string>& followed_names);

}  // namespace weir
