// The sources in memory, followed or leaving. Only SourceTable adds and removes them. It keeps the indexes by
// file, by first line and by path.
//
// A leaving source was truncated, replaced or given up. It is kept until its data in flight is settled or a
// copy takes over from it.
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
  // null: no source is followed there.
  [[nodiscard]] std::shared_ptr<Source> of_file(const FileFacts& facts) const;
  [[nodiscard]] std::shared_ptr<Source> of_file(FileKey key) const;
  [[nodiscard]] std::shared_ptr<Source> of_path(const std::string& path) const;
  // The sources whose first line is that of `base`.
  [[nodiscard]] std::vector<std::shared_ptr<Source>> followed_with(const SourceId& base) const;
  [[nodiscard]] std::vector<std::shared_ptr<Source>> leaving_with(const SourceId& base) const;
  // Whether a source with this id is followed or leaving.
  [[nodiscard]] bool in_memory(const SourceId& id) const { return ids_.contains(id); }
  // Whether another file now has a name that this one had.
  [[nodiscard]] bool has_successor(const Source& source) const;

  void add(const std::shared_ptr<Source>& source);
  // Moves the source from followed to leaving.
  void leave(const std::shared_ptr<Source>& source);
  // Removes the source from memory, whether followed or leaving.
  void drop(const std::shared_ptr<Source>& source);
  // From now on, `source` (followed or leaving) is followed in the file that `change` assigns to it.
  void move_to_file(const std::shared_ptr<Source>& source, const std::function<void(Source&)>& change);
  // For a source moved to another folder, where its first line gives another base.
  void set_base(const std::shared_ptr<Source>& source, const SourceId& base);
  // The paths under which the watcher may report a change of a source. All of them are set again after each
  // scan.
  void clear_paths() { by_path_.clear(); }
  void set_path(const std::string& path, const std::shared_ptr<Source>& source);

  // Marks a change that the registry must record.
  void touch(const std::shared_ptr<Source>& source);
  // Marks that the registry has recorded the source's state.
  void saved(Source& source);
  // The sources touched but not saved since, in order.
  [[nodiscard]] const std::vector<std::shared_ptr<Source>>& touched() const { return touched_; }

  // Checks the invariants: id counts are right, each index has each followed source once, and every touched
  // source is in memory.
  void check() const;

 private:
  static FileKey key_of(const Source& source) { return {source.facts.device, source.facts.inode}; }
  void insert(const std::shared_ptr<Source>& source);
  bool erase(const std::shared_ptr<Source>& source);  // false: the source was not followed
  void erase_base(const std::shared_ptr<Source>& source);

  Followed followed_;
  std::vector<std::shared_ptr<Source>> leaving_;
  std::unordered_multimap<SourceId, std::shared_ptr<Source>, SourceIdHash> by_base_;
  std::unordered_map<std::string, std::shared_ptr<Source>> by_path_;
  std::unordered_map<SourceId, std::size_t, SourceIdHash> ids_;  // ids in followed_ and leaving_
  std::vector<std::shared_ptr<Source>> touched_;
};

}  // namespace weir
