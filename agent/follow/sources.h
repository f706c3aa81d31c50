// The sources in memory: those that are followed, and those that are leaving. It alone adds and removes
// them, and keeps the indexes by file, by first line and by path.
//
// A source that is leaving was truncated, replaced or given up: it is kept until what is in flight of it is
// settled, or a copy takes over from it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/follow/source.h"
#include "agent/tail/file_system.h"
#include "proto/source_id.h"

namespace weir {

class SourceTable {
 public:
  using FileKey = std::pair<std::uint64_t, std::uint64_t>;  // device, inode
  using Followed = std::map<FileKey, std::shared_ptr<Source>>;

  [[nodiscard]] const Followed& followed() const { return followed_; }
  [[nodiscard]] const std::vector<std::shared_ptr<Source>>& leaving() const { return leaving_; }
  [[nodiscard]] std::size_t size() const { return followed_.size() + leaving_.size(); }
  [[nodiscard]] bool follows(const std::shared_ptr<Source>& source) const;
  // Null: none is followed there.
  [[nodiscard]] std::shared_ptr<Source> of_file(const FileFacts& facts) const;
  [[nodiscard]] std::shared_ptr<Source> of_file(FileKey key) const;
  [[nodiscard]] std::shared_ptr<Source> of_path(const std::string& path) const;
  // Those whose first line is that of `base`.
  [[nodiscard]] std::vector<std::shared_ptr<Source>> followed_with(const SourceId& base) const;
  [[nodiscard]] std::vector<std::shared_ptr<Source>> leaving_with(const SourceId& base) const;
  // Followed or leaving.
  [[nodiscard]] bool in_memory(const SourceId& id) const { return ids_.contains(id); }
  // Another file has a name that this one had.
  [[nodiscard]] bool has_successor(const Source& source) const;

  void add(const std::shared_ptr<Source>& source);
  // From followed to leaving.
  void leave(const std::shared_ptr<Source>& source);
  // It is in memory no more, whether it was followed or is leaving.
  void drop(const std::shared_ptr<Source>& source);
  // `source`, followed or leaving, is followed from now on in the file that `change` gives it.
  void move_to_file(const std::shared_ptr<Source>& source, const std::function<void(Source&)>& change);
  // In another folder its first line gives another base.
  void set_base(const std::shared_ptr<Source>& source, const SourceId& base);
  // Under which paths a change of a source may be announced: all of them are given anew after a look.
  void clear_paths() { by_path_.clear(); }
  void set_path(const std::string& path, const std::shared_ptr<Source>& source);

  // Something of it changed that the registry must know.
  void touch(const std::shared_ptr<Source>& source);
  // The registry was given what there is to know of it.
  void saved(Source& source);
  // Those that were touched and not saved since, in their order.
  [[nodiscard]] const std::vector<std::shared_ptr<Source>>& touched() const { return touched_; }

  // Invariants: ids are counted right, each index has each followed source once, what is touched is here.
  void check() const;

 private:
  static FileKey key_of(const Source& source) { return {source.facts.device, source.facts.inode}; }
  void insert(const std::shared_ptr<Source>& source);
  bool erase(const std::shared_ptr<Source>& source);  // false: it was not followed
  void erase_base(const std::shared_ptr<Source>& source);

  Followed followed_;
  std::vector<std::shared_ptr<Source>> leaving_;
  std::unordered_multimap<SourceId, std::shared_ptr<Source>, SourceIdHash> by_base_;
  std::unordered_map<std::string, std::shared_ptr<Source>> by_path_;
  std::unordered_map<SourceId, std::size_t, SourceIdHash> ids_;  // of followed_ and leaving_
  std::vector<std::shared_ptr<Source>> touched_;
};

}  // namespace weir
