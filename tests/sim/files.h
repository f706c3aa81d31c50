// A file system in memory: names, inode numbers that are reused at once, holes, and open files that outlive
// their names; short reads, errors and crashes on demand.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/tail/file_system.h"
#include "tests/sim/clock.h"
#include "tests/sim/random.h"

namespace weir::sim {

struct Inode {
  std::uint64_t number = 0;
  std::int64_t birth_ns = 0;
  std::int64_t modified_ms = 0;
  std::uint64_t links = 0;
  std::string bytes;
};

// Faults to inject into reads, drawn anew at each read.
struct ReadFaults {
  Random* random = nullptr;
  std::uint64_t error_per_mille = 0;
  std::uint64_t short_per_mille = 0;
  std::uint64_t crash_per_mille = 0;
};

class SimFiles : public FileSystem {
 public:
  explicit SimFiles(const SimClock& clock) : clock_(clock) {}

  // The agent's interface.
  [[nodiscard]] Result<FileFacts> facts(const std::string& path) const override;
  [[nodiscard]] Result<std::unique_ptr<File>> open(const std::string& path) const override;
  [[nodiscard]] GlobResult glob(const std::string& pattern) const override;
  [[nodiscard]] std::string resolved(const std::string& path) const override { return path; }
  [[nodiscard]] bool needs_polling(const std::string&) const override { return false; }

  // The writers' interface.
  std::shared_ptr<Inode> create(const std::string& path);  // replaces an existing file
  [[nodiscard]] std::shared_ptr<Inode> find(const std::string& path) const;
  void append(const std::shared_ptr<Inode>& inode, const std::string& bytes);
  void write_at(const std::shared_ptr<Inode>& inode, std::uint64_t offset, const std::string& bytes);
  void truncate(const std::shared_ptr<Inode>& inode);
  void rename(const std::string& from, const std::string& to);
  void link(const std::string& from, const std::string& to);
  void unlink(const std::string& path);
  [[nodiscard]] const std::map<std::string, std::shared_ptr<Inode>>& names() const { return names_; }

  // Called with the path at each change of content or name.
  std::function<void(const std::string& path, bool name_changed)> on_change;
  mutable ReadFaults faults;
  std::set<std::string> bad_disk;     // files opened under these paths return no bytes
  std::set<std::string> bad_folders;  // matching these patterns fails
  // Called before a call is answered, because writers do not wait for readers.
  std::function<void()> between;
  std::uint64_t free_bytes = UINT64_MAX;  // on the disk

 private:
  friend class SimFile;
  [[nodiscard]] FileFacts facts_of(const Inode& inode) const;
  [[nodiscard]] std::optional<Error> fault(const std::string& path) const;
  void told(const Inode* inode);
  void drop(const std::shared_ptr<Inode>& inode);

  const SimClock& clock_;
  std::map<std::string, std::shared_ptr<Inode>> names_;
  mutable std::vector<std::weak_ptr<Inode>> unlinked_;
  std::set<std::uint64_t> free_numbers_;
  std::uint64_t next_number_ = 100;
  std::int64_t births_ = 0;
};

}  // namespace weir::sim
