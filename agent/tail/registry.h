// What the agent remembers across starts: for each source the acknowledged offset and what proves that a file
// is that source, and the losses that are not yet acknowledged.
//
// Registry holds it in memory. A RegistryFile keeps it: one SQLite file in state_dir that one agent holds,
// nothing at all (on a single box), or the simulation's.
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

// How far one of several routes is acknowledged.
struct RouteOffset {
  std::string route;
  std::uint64_t acknowledged_offset = 0;
  friend bool operator==(const RouteOffset&, const RouteOffset&) = default;
};

struct RegistryEntry {
  SourceId id;
  SourceId base;          // the id without the salt of a look-alike
  std::string line_hash;  // of the first data line alone; "": written by a version that did not keep it
  std::string path, input;
  std::uint64_t device = 0, inode = 0;
  std::int64_t birth_ns = 0;    // of the file; 0: not known
  std::int32_t partition = -1;  // -1: not pinned yet
  std::uint64_t origin = 0;
  std::uint64_t acknowledged_offset = 0;  // by all routes
  // Of an agent with several routes: how far each is. A route that is not named is at acknowledged_offset.
  std::vector<RouteOffset> routes;
  std::uint64_t size_bytes = 0;  // of the content, when it was last looked at
  std::string tail_hash;         // of the bytes before acknowledged_offset; "" not known
  // The furthest end of a batch that was sent, and the hash of the bytes before it. All before it may be
  // counted already. It is in the registry before a source's first batch is sent.
  std::uint64_t sent_offset = 0;
  std::string sent_tail_hash;
  // For a source that is shipped as windows, which cannot be cut: the ends, behind acknowledged_offset, of
  // the batches that were sent or may have been sent. A restarted agent ends its batches there again. Not
  // known: the source was shipped as records, which may be cut anywhere.
  bool cuts_known = false;
  std::vector<std::uint64_t> cuts;  // ascending
  std::int64_t last_acknowledged_ms = 0;
  std::int64_t seen_ms = 0;  // Unix epoch: when it was last followed
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
  std::uint64_t instance = 0;  // identifies this registry: a new one has another
  std::vector<RegistryEntry> entries;
  std::vector<Loss> losses;
  std::string note;  // for the operator: "registry X: damaged, put aside as X.damaged"
};
// Random.
[[nodiscard]] std::uint64_t new_instance();

class RegistryFile {
 public:
  virtual ~RegistryFile() = default;
  // Reads all of it at a start. Errors: kIo, kInvalid (written by a newer weir).
  [[nodiscard]] virtual Result<RegistryContent> load() = 0;
  struct Change {
    std::vector<const RegistryEntry*> put;
    std::vector<SourceId> forgotten;
    const std::vector<Loss>* losses = nullptr;  // all of them, if they changed
    bool durable = false;                       // this change and all before it survive a power cut
  };
  // One transaction. Errors: kIo; then nothing of it was kept.
  [[nodiscard]] virtual Result<void> write(const Change& change) = 0;
};

// SQLite in state_dir, which is created if it does not exist. A file that SQLite cannot read is put aside as
// registry.damaged and a new one is started: the aggregator knows by their bytes which lines were shipped.
// Errors: kFenced (another agent holds it), kIo.
[[nodiscard]] Result<std::unique_ptr<RegistryFile>> open_registry_file(const std::string& state_dir);
// Reads the same file, also beside a running agent. kNotFound: no agent has run there.
[[nodiscard]] Result<RegistryContent> read_registry(const std::string& state_dir);

// Used by one thread. Reads come from memory, writes reach the file in flush().
class Registry {
 public:
  // Errors: those of load().
  [[nodiscard]] static Result<std::unique_ptr<Registry>> open(std::unique_ptr<RegistryFile> file);
  [[nodiscard]] static Result<std::unique_ptr<Registry>> open(const std::string& state_dir);
  // Keeps nothing across runs. For the single box, where the store knows the positions.
  [[nodiscard]] static std::unique_ptr<Registry> in_memory();

  [[nodiscard]] std::uint64_t instance() const { return instance_; }
  [[nodiscard]] const std::string& note() const { return note_; }
  [[nodiscard]] const RegistryEntry* find(const SourceId& id) const;
  // The entries whose content began with the same line, by family (base) or by file. Valid until the next
  // put() or forget().
  [[nodiscard]] std::vector<const RegistryEntry*> candidates(const SourceId& base, std::uint64_t device,
                                                             std::uint64_t inode,
                                                             const std::string& line_hash) const;
  // Whether an entry was about this file when it was last written.
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
  // Writes all changes since the last flush() in one transaction. Errors: kIo; then the changes wait for the
  // next flush(), which keeps them as firmly as this one was asked to.
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
  bool durable_ = false;   // a flush that had to be durable failed
  bool unsynced_ = false;  // something was written that is not durable yet
};

}  // namespace weir
