// The store as the engine sees it: who owns a partition, what was counted, and one commit at a time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/partition_key.h"
#include "aggregator/store/states.h"
#include "proto/result.h"
#include "proto/source_id.h"
#include "proto/window.h"

namespace weir {

struct PartitionState {
  std::uint64_t epoch = 0;        // of the current owner; acquire() raises it
  std::int64_t next_offset = -1;  // -1: nothing was committed yet
  std::string cluster_id;
  std::int32_t leader_epoch = -1;
};

// The contents of one transaction. The store adds the windows to those it has.
struct Commit {
  PartitionKey partition;
  std::uint64_t epoch = 0;
  std::int64_t expected_next_offset = -1;
  std::int64_t next_offset = 0;
  std::string cluster_id;
  std::int32_t leader_epoch = -1;
  WindowDelta windows;
  // Each replaces its row, which must still have the version given here; otherwise kFenced: the source may
  // have moved to another partition and been counted by another aggregator.
  std::vector<SourceState> sources;
  std::vector<DeadLetter> dead_letters;
  std::uint64_t dead_letter_count = 0;  // including those that are not kept
  std::vector<AgentState> agents;
  std::vector<std::string> new_sites;
};

// Not thread-safe.
// Errors: kUnavailable (reconnect or retry: nothing was committed), kFenced (another owner), kInvalid (schema
// too new, wrong password), kIo (disk full, corrupt).
class Ledger {
 public:
  virtual ~Ledger() = default;
  // Creates or migrates the schema. kInvalid: the schema is newer than this program knows.
  [[nodiscard]] virtual Result<void> migrate() = 0;
  // Changes nothing. kNotFound: the tables are not weir's.
  [[nodiscard]] virtual Result<int> schema_version() = 0;

  // Takes the partition by raising its epoch, which fences the previous owner.
  [[nodiscard]] virtual Result<PartitionState> acquire(const PartitionKey& partition,
                                                       std::string_view owner) = 0;
  // The sources among `ids` that have a row.
  [[nodiscard]] virtual Result<std::vector<SourceState>> load_sources(const std::vector<SourceId>& ids) = 0;
  // The sites that commits have admitted.
  [[nodiscard]] virtual Result<std::vector<std::string>> known_sites() = 0;
  // One transaction. Its first statement is the compare-and-set on the partition's row. Retries deadlocks
  // itself, and resolves an unknown COMMIT outcome by reading the row back.
  [[nodiscard]] virtual Result<void> commit(const Commit& commit) = 0;

  // Deletes at most `max` sources last seen before `before_ms`; sources with gaps only if last seen before
  // `with_gaps_before_ms`. Returns how many. Never deletes one that another writer has updated meanwhile.
  [[nodiscard]] virtual Result<std::uint64_t> forget_sources(std::int64_t before_ms,
                                                             std::int64_t with_gaps_before_ms,
                                                             std::size_t max) = 0;
};

// Opens a connection for the caller alone; called again after a failure.
using OpenLedger = std::function<Result<std::unique_ptr<Ledger>>()>;

}  // namespace weir
