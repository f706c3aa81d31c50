#include "agent/follow/sources.h"

#include <algorithm>

#include "proto/must.h"

namespace weir {

bool SourceTable::follows(const std::shared_ptr<Source>& source) const {
  const auto at = followed_.find(key_of(*source));
  return at != followed_.end() && at->second == source;
}

std::shared_ptr<Source> SourceTable::of_file(const FileFacts& facts) const {
  return of_file(FileKey{facts.device, facts.inode});
}

std::shared_ptr<Source> SourceTable::of_file(FileKey key) const {
  const auto at = followed_.find(key);
  return at == followed_.end() ? nullptr : at->second;
}

std::shared_ptr<Source> SourceTable::of_path(const std::string& path) const {
  const auto at = by_path_.find(path);
  return at == by_path_.end() ? nullptr : at->second;
}

std::vector<std::shared_ptr<Source>> SourceTable::followed_with(const SourceId& base) const {
  std::vector<std::shared_ptr<Source>> found;
  const auto [begin, end] = by_base_.equal_range(base);
  for (auto at = begin; at != end; ++at) found.push_back(at->second);
  return found;
}

std::vector<std::shared_ptr<Source>> SourceTable::leaving_with(const SourceId& base) const {
  std::vector<std::shared_ptr<Source>> found;
  for (const auto& source : leaving_) {
    if (source->base == base) found.push_back(source);
  }
  return found;
}

bool SourceTable::has_successor(const Source& source) const {
  return std::any_of(source.names.begin(), source.names.end(), [&](const auto& name) {
    const auto at = by_path_.find(name);
    return at != by_path_.end() && at->second.get() != &source;
  });
}

void SourceTable::add(const std::shared_ptr<Source>& source) {
  ++ids_[source->id];
  insert(source);
  touch(source);
}

void SourceTable::insert(const std::shared_ptr<Source>& source) {
  const bool first = followed_.try_emplace(key_of(*source), source).second;
  MUST(first, "a file is followed once");
  if (!first) followed_[key_of(*source)] = source;
  by_base_.emplace(source->base, source);
}

bool SourceTable::erase(const std::shared_ptr<Source>& source) {
  if (!follows(source)) return false;
  followed_.erase(key_of(*source));
  erase_base(source);
  std::erase_if(by_path_, [&](const auto& entry) { return entry.second == source; });
  return true;
}

void SourceTable::erase_base(const std::shared_ptr<Source>& source) {
  const auto [begin, end] = by_base_.equal_range(source->base);
  const auto at = std::find_if(begin, end, [&](const auto& entry) { return entry.second == source; });
  MUST(at != end, "a source that is followed is found by its first line");
  if (at != end) by_base_.erase(at);
}

void SourceTable::leave(const std::shared_ptr<Source>& source) {
  const bool was_followed = erase(source);
  MUST(was_followed, "only a source that is followed leaves");
  if (was_followed) leaving_.push_back(source);
}

void SourceTable::drop(const std::shared_ptr<Source>& source) {
  const bool here = erase(source) || std::erase(leaving_, source) > 0;
  MUST(here, "only a source in memory is dropped");
  if (!here) return;
  std::erase(touched_, source);
  if (const auto at = ids_.find(source->id); at != ids_.end() && --at->second == 0) ids_.erase(at);
}

void SourceTable::move_to_file(const std::shared_ptr<Source>& source,
                               const std::function<void(Source&)>& change) {
  const bool here = erase(source) || std::erase(leaving_, source) > 0;
  MUST(here, "only a source in memory takes over another file");
  if (!here) ++ids_[source->id];
  change(*source);
  insert(source);
  touch(source);
}

void SourceTable::set_base(const std::shared_ptr<Source>& source, const SourceId& base) {
  erase_base(source);
  source->base = base;
  by_base_.emplace(base, source);
  touch(source);
}

void SourceTable::set_path(const std::string& path, const std::shared_ptr<Source>& source) {
  MUST(follows(source), "only sources that are followed are found by path");
  by_path_[path] = source;
}

void SourceTable::touch(const std::shared_ptr<Source>& source) {
  if (source->unsaved) return;
  source->unsaved = true;
  touched_.push_back(source);
}

void SourceTable::saved(Source& source) {
  if (!source.unsaved) return;
  source.unsaved = false;
  std::erase_if(touched_, [&](const auto& one) { return one.get() == &source; });
}

void SourceTable::check() const {
#ifdef WEIR_MUST
  std::unordered_map<SourceId, std::size_t, SourceIdHash> ids;
  for (const auto& [key, source] : followed_) {
    MUST(key == key_of(*source), "a source is found by its file's device and inode");
    ++ids[source->id];
    const auto [begin, end] = by_base_.equal_range(source->base);
    MUST(std::count_if(begin, end, [&](const auto& entry) { return entry.second == source; }) == 1,
         "a source that is followed is found once by its first line");
  }
  for (const auto& source : leaving_) {
    ++ids[source->id];
    MUST(!follows(source), "a source that is leaving is not followed");
    MUST(std::count(leaving_.begin(), leaving_.end(), source) == 1, "a source leaves once");
  }
  MUST(ids == ids_, "ids in memory are those of the sources followed and leaving");
  MUST(by_base_.size() == followed_.size(), "the index by first line has the sources followed, and no other");
  for (const auto& [path, source] : by_path_)
    MUST(follows(source), "the index by path has sources that are followed only");
  std::size_t unsaved = 0;
  for (const auto& [key, source] : followed_) unsaved += source->unsaved ? 1 : 0;
  for (const auto& source : leaving_) unsaved += source->unsaved ? 1 : 0;
  MUST(unsaved == touched_.size(), "what is touched is in memory, and marked so");
#endif
}

}  // namespace weir
