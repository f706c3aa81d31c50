// The state that the agent keeps across restarts: the acknowledged offset of each source, the proof that a
// file is that source, and the losses that are not acknowledged yet.
//
// Registry holds it in memory. A RegistryFile stores it: an SQLite file in state_dir that one agent locks, or
// the simulation's. A single box has no RegistryFile.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "agent/tail/file_system.h"
#include "agent/tail/source_status.h"
#include "proto/batch.h"
#include "proto/result.h"
#include "proto/source_id.h"

namespace weir {

struct RegistryEntry {
  SourceId id;
  SourceId base;          // the id without a look-alike's salt
  std::string line_hash;  // of the first data line alone; "": written by a version without this field
  std::string path, input;
  std::uint64_t device = 0, inode = 0;
  std::int64_t birth_ns = 0;    // birth time of the file; 0: not known
  std::int32_t partition = -1;  // -1: not pinned yet
  std::uint64_t origin = 0;
  std::uint64_t acknowledged_offset = 0;  // acknowledged by all routes
  // With several routes: the offset of each. A route that is not listed is at acknowledged_offset.
  std::vector<RouteOffset> routes;
  std::uint64_t size_bytes = 0;  // of the content at the last check
  std::string tail_hash;         // of the bytes before acknowledged_offset; "": not known
  // The largest end offset of any batch that was sent, and the hash of the bytes before it. All bytes before
  // it may already be counted. The registry has it before the source's first batch is sent.
  std::uint64_t sent_offset = 0;
  std::string sent_tail_hash;
  // For a source shipped as windows, which cannot be split: the ends, after acknowledged_offset, of the
  // batches that were sent or may have been sent. A restarted agent ends its batches at the same places. Not
  // known: the source was shipped as records, which may be split anywhere.
  bool cuts_known = false;
  std::vector<std::uint64_t> cuts;  // ascending
  std::int64_t last_acknowledged_ms = 0;
  std::int64_t seen_ms = 0;  // Unix epoch; when it was last followed
  FileCondition state;
  friend bool operator==(const RegistryEntry&, const RegistryEntry&) = default;
};

// Bytes of a source that will never be sent.
struct Loss {
  SourceId source;
  ByteRange range;
  LossCause cause = LossCause::kNotReceived;
  std::uint64_t origin = 0;
  std::int32_t partition = -1;
  std::string path, input;
  std::int64_t noticed_ms = 0;  // Unix epoch
  friend bool operator==(const Loss&, const Loss&) = default;
};

struct RegistryContent {
  std::uint64_t instance = 0;  // identifies this registry; a new registry gets a new number
  std::vector<RegistryEntry> entries;
  std::vector<Loss> losses;
  std::string note;  // for the operator: "registry X: damaged, put aside as X.damaged"
};
// A random number.
[[nodiscard]] std::uint64_t new_instance();

class RegistryFile {
 public:
  virtual ~RegistryFile() = default;
  // Reads everything at startup. Errors: kIo, kInvalid (written by a newer weir).
  [[nodiscard]] virtual Result<RegistryContent> load() = 0;
  struct Change {
    std::vector<const RegistryEntry*> put;
    std::vector<SourceId> forgotten;
    const std::vector<Loss>* losses = nullptr;  // all losses, if any changed
    bool durable = false;                       // this change and all earlier ones must survive a power cut
  };
  // One transaction. Errors: kIo; nothing of the change is then stored.
  [[nodiscard]] virtual Result<void> write(const Change& change) = 0;
};

// SQLite in state_dir, which is created if it does not exist. A file that SQLite cannot read is renamed to
// registry.damaged and replaced by a new one. Nothing is counted twice, because the aggregator recognises by
// their bytes the lines that were shipped. Errors: kFenced (another agent holds it), kIo.
[[nodiscard]] Result<std::unique_ptr<RegistryFile>> open_registry_file(const std::string& state_dir);
// Reads the same file, even while an agent is running. kNotFound: no agent has run there.
[[nodiscard]] Result<RegistryContent> read_registry(const std::string& state_dir);

// Used by one thread. Reads are served from memory; flush() writes changes to the file.
class Registry {
 public:
  // Errors: those of load().
  [[nodiscard]] static Result<std::unique_ptr<Registry>> open(std::unique_ptr<RegistryFile> file);
  [[nodiscard]] static Result<std::unique_ptr<Registry>> open(const std::string& state_dir);
  // Stores nothing across runs. For the single box, where the store knows the positions.
  [[nodiscard]] static std::unique_ptr<Registry> in_memory();

  [[nodiscard]] std::uint64_t instance() const { return instance_; }
  [[nodiscard]] const std::string& note() const { return note_; }
  [[nodiscard]] const RegistryEntry* find(const SourceId& id) const;
  // The entries whose content began with the same line, found by family (`base`) or by file (`device`,
  // `inode`). Valid until the next put() or forget().
  [[nodiscard]] std::vector<const RegistryEntry*> candidates(const SourceId& base, std::uint64_t device,
                                                             std::uint64_t inode,
                                                             const std::string& line_hash) const;
  // Whether an entry was about this file when the entry was last written.
  [[nodiscard]] bool knows_file(const FileFacts& file) const;
  [[nodiscard]] bool knows_input(const std::string& input) const;
  [[nodiscard]] const std::unordered_map<SourceId, RegistryEntry, SourceIdHash>& entries() const {
    return entries_;
  }
  [[nodiscard]] const std::vector<Loss>& losses() const { return losses_; }
  void put(const RegistryEntry& entry);
  void forget(const SourceId& id);
  void add_loss(Loss loss);
  void remove_loss(const Loss& loss);
  enum class Keep { kUsually, kThroughPowerCuts };
  // Writes all changes since the last flush() in one transaction. Errors: kIo; the changes then wait for the
  // next flush(), which stores them at least as durably as this one was asked to.
  [[nodiscard]] Result<void> flush(Keep keep = Keep::kUsually);

 private:
  Registry() = default;
  void index(const RegistryEntry& entry);
  void unindex(const RegistryEntry& entry);

  std::unique_ptr<RegistryFile> file_;  // null: in memory
  std::uint64_t instance_ = 0;
  std::string note_;
  std::unordered_map<SourceId, RegistryEntry, SourceIdHash> entries_;
  std::unordered_multimap<SourceId, SourceId, SourceIdHash> by_base_;
  std::unordered_multimap<std::uint64_t, SourceId> by_inode_;
  std::vector<Loss> losses_;
  std::unordered_set<SourceId, SourceIdHash> dirty_, forgotten_;
  bool losses_dirty_ = false;
  bool durable_ = false;   // a flush that had to be durable has failed
  bool unsynced_ = false;  // some writes are not durable yet
};

}  // namespace weir
