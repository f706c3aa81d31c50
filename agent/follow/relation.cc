#include "agent/follow/relation.h"

#include <algorithm>
#include <string_view>

#include "agent/tail/proof.h"
#include "agent/tail/rotation.h"

namespace weir {
namespace {

// Compares up to kHeadScanBytes of both, up to the length of the shorter one.
Result<bool> begin_alike(Content& a, Content& b) {
  std::string of_a;
  std::string of_b;
  if (const auto got = read_whole(a, 0, kHeadScanBytes, of_a); !got) return std::unexpected(got.error());
  if (const auto got = read_whole(b, 0, kHeadScanBytes, of_b); !got) return std::unexpected(got.error());
  const auto shared = std::min(of_a.size(), of_b.size());
  return std::string_view(of_a).substr(0, shared) == std::string_view(of_b).substr(0, shared);
}

}  // namespace

Result<Relation> relation_to(Content& candidate, const FileFacts& facts, const std::string& path,
                             Content& followed, const std::vector<std::string>& followed_names) {
  const auto other = followed.facts();
  if (!other) return std::unexpected(other.error());
  // Rotation by rename: the bytes are new even if they are equal, which happens if the same requests arrive
  // within the same second. An unlinked file was replaced, for example by an editor.
  const bool renamed_away = other->links > 0 && std::find(followed_names.begin(), followed_names.end(),
                                                          path) != followed_names.end();
  if (renamed_away) return Relation::kLookAlike;
  // The size of compressed content is not known before its end, so we compare the beginnings.
  if (candidate.compressed() || followed.compressed()) {
    const auto same = begin_alike(candidate, followed);
    if (!same) return std::unexpected(same.error());
    return *same ? Relation::kCopy : Relation::kLookAlike;
  }
  const auto shared = std::min(other->size_bytes, facts.size_bytes);
  const auto ours = tail_hash(candidate, shared);
  if (!ours) return std::unexpected(ours.error());
  const auto theirs = tail_hash(followed, shared);
  if (!theirs) return std::unexpected(theirs.error());
  if (*ours != *theirs) return Relation::kLookAlike;
  // A copy is rotated further than its original, and the original is never shorter than the copy. So a file
  // that is shorter and nearer to the base name is new.
  const bool shorter_is_newer = facts.size_bytes < other->size_bytes
                                    ? less_rotated(path, followed_names.back())
                                    : less_rotated(followed_names.back(), path);
  if (shared > 0 && facts.size_bytes != other->size_bytes && shorter_is_newer) return Relation::kLookAlike;
  return facts.size_bytes > other->size_bytes ? Relation::kContinues : Relation::kCopy;
}

}  // namespace weir
