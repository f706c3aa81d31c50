// Settling: messages become one commit. Pure: messages and states in, Commits
// out; no store, no broker, no clock (times are arguments).
//
// Per partition: apply() messages in offset order, then take() a Commit, give it
// to the store, and committed() or dropped(). What was applied and not yet
// committed is pending; its size is bounded by the caller through pending_bytes().
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "agent/format/parser.h"
#include "aggregator/source/source.h"
#include "aggregator/store/ledger.h"

namespace weir {

struct SettlerConfig {
  FoldConfig fold;
  std::size_t max_sites = 10000;
  DecodeLimits limits;
  // Of raw lines and of foreign JSON's `message` (Filebeat, Fluent Bit, Vector).
  FormatSpec foreign_format;
};

// Since creation; what was dropped and applied again counts again.
struct SettlerCounters {
  std::uint64_t messages = 0, message_bytes = 0;
  std::uint64_t records = 0;
  std::uint64_t dead_letters = 0;
  std::uint64_t duplicate_bytes = 0;  // content bytes that were counted already
  std::uint64_t content_bytes = 0;    // content bytes newly counted
};

class Settler {
 public:
  // Errors: the foreign format does not compile.
  [[nodiscard]] static Result<std::unique_ptr<Settler>> create(const SettlerConfig& config,
                                                               const std::vector<std::string>& known_sites);
  ~Settler();

  void assign(const PartitionKey& partition, const PartitionState& state);
  // Forgets all that is pending: revoked, lost or fenced.
  void drop(const PartitionKey& partition);

  // The source whose coverage must be known before apply(); nullopt when none is
  // needed or it is known already. Give it with know_source() (also when the store
  // has none: a SourceState with just the id).
  [[nodiscard]] std::optional<SourceId> wants(const SourceMessage& message);
  void know_source(const SourceState& state);

  // The other partition whose pending must be committed (or dropped) first: it holds
  // uncommitted ranges of the message's source. A source keeps its partition for life, so
  // this is rare (an agent that lost its registry after the topic grew). Ask before wants().
  [[nodiscard]] std::optional<PartitionKey> blocked_by(const SourceMessage& message);

  // Messages below the partition's next offset are ignored (seen before). Never fails:
  // what does not decode becomes a dead letter.
  void apply(const SourceMessage& message, std::int64_t now_ms);
  // [wanted, resumed_at) of the partition is gone (retention): recorded as a dead letter.
  void record_gap(const OffsetOutOfRange& gap, std::int64_t now_ms);

  [[nodiscard]] std::uint64_t pending_bytes() const;
  [[nodiscard]] bool has_pending(const PartitionKey& partition) const;
  [[nodiscard]] std::vector<PartitionKey> pending_partitions() const;
  // What is pending, as one commit. It stays pending until committed(): what take()
  // returned is sealed, further take()s return the very same commit (so that a commit
  // whose outcome is unknown can be tried again), and what is applied meanwhile goes
  // into the next one. It lives until committed(), drop() or assign().
  [[nodiscard]] const Commit& take(const PartitionKey& partition, std::string cluster_id);
  void committed(const Commit& commit);

  // Its invariants (proto/must.h).
  void check() const;
  [[nodiscard]] SettlerCounters counters() const;
  // For /health: agent ids that two hosts claim. Forgotten 10 minutes after the last sign of it.
  [[nodiscard]] std::vector<std::string> problems(std::int64_t now_ms) const;

 private:
  Settler();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
