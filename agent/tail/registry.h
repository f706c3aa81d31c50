// The agent's memory across starts: per source the acknowledged offset and what proves
// that a file is that source. One SQLite file in state_dir, held by one agent.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/agent.h"
#include "proto/result.h"
#include "proto/source_id.h"

namespace weir {

struct RegistryEntry {
  SourceId id;
  std::string path, input;
  std::uint64_t device = 0, inode = 0;
  std::int32_t partition = -1;  // -1: not pinned yet
  std::uint64_t origin = 0;
  std::uint64_t acknowledged_offset = 0;
  std::uint64_t size_bytes = 0;
  std::string tail_hash;  // of the bytes before acknowledged_offset; "" not known
  std::int64_t last_acknowledged_ms = 0;
  std::string state;  // as SourceStatus::state
};

// Thread: one. Reads go to memory, writes to the file in flush().
class Registry {
 public:
  // Errors: kFenced (another agent holds it), kIo, kInvalid (written by a newer weir).
  [[nodiscard]] static Result<std::unique_ptr<Registry>> open(const std::string& state_dir);
  // Remembers nothing across runs: the single box, whose store is its memory.
  [[nodiscard]] static std::unique_ptr<Registry> in_memory();
  ~Registry();

  [[nodiscard]] std::uint64_t instance() const;
  [[nodiscard]] const RegistryEntry* find(const SourceId& id) const;
  // A file that an entry was about when it was last written.
  [[nodiscard]] bool knows_file(std::uint64_t device, std::uint64_t inode) const;
  void put(const RegistryEntry& entry);
  // One transaction with all that was put since. Errors: kIo; what was put stays to be flushed.
  [[nodiscard]] Result<void> flush();

 private:
  Registry();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
