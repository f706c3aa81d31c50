// Settling turns messages into commits. Pure: messages and states in, Commits out; no store, no broker, no
// clock (times are arguments). Not thread-safe.
//
// For each message of a partition, in offset order: call need() until it returns Ready, then apply(). From
// time to time: take() a Commit, give it to the store, then call committed() or drop(). What is applied but
// not yet committed is pending; the caller bounds its size with pending_bytes().
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "agent/format/parser.h"
#include "aggregator/partition_key.h"
#include "aggregator/source/source.h"
#include "aggregator/store/ledger.h"

namespace weir {

struct SettlerConfig {
  FoldConfig fold;
  std::size_t max_sites = 10000;  // sites beyond this are counted as "(other)"
  DecodeLimits limits;
  // For raw lines and the `message` of foreign JSON (Filebeat, Fluent Bit, Vector).
  FormatSpec foreign_format;
};

// Counted since creation. What is dropped and applied again counts twice.
struct SettlerCounters {
  std::uint64_t messages = 0, message_bytes = 0;
  std::uint64_t records = 0;
  std::uint64_t dead_letters = 0;
  std::uint64_t duplicate_bytes = 0;  // content bytes that had been counted before
  std::uint64_t content_bytes = 0;    // content bytes counted for the first time
};

// The message can be applied.
struct Ready {};
// Commit (or drop) everything pending of this other partition: it holds uncommitted ranges of the message's
// source. This is rare because a source keeps its partition for life. It happens when an agent lost its
// registry after the topic grew.
struct CommitFirst {
  PartitionKey partition;
};
// Read the source's row from the store and pass it to know_source().
struct Load {
  SourceId source;
};
using Need = std::variant<Ready, CommitFirst, Load>;

class Settler {
 public:
  // Errors: the foreign format does not compile.
  [[nodiscard]] static Result<std::unique_ptr<Settler>> create(const SettlerConfig& config,
                                                               const std::vector<std::string>& known_sites);
  // Takes effect with the next message. kInvalid: the format does not compile, and the old one stays.
  [[nodiscard]] Result<void> set_foreign_format(const FormatSpec& format);
  ~Settler();

  void assign(const PartitionKey& partition, const PartitionState& state);
  // Forgets everything pending of a partition that was revoked, lost or fenced.
  void drop(const PartitionKey& partition);

  // What must happen before apply() can take the message. Ask again until the answer is Ready.
  [[nodiscard]] Need need(const SourceMessage& message);
  // The answer to Load. If the store does not have the source, pass a SourceState with only the id.
  void know_source(const SourceState& state);

  // Ignores messages below the partition's next offset, which were seen before. Never fails: a message that
  // does not decode becomes a dead letter.
  void apply(const SourceMessage& message, std::int64_t now_ms);
  // Records a dead letter: [wanted, resumed_at) of the partition is lost.
  void record_gap(const OffsetOutOfRange& gap, std::int64_t now_ms);

  [[nodiscard]] std::uint64_t pending_bytes() const;
  [[nodiscard]] bool has_pending(const PartitionKey& partition) const;
  [[nodiscard]] std::vector<PartitionKey> pending_partitions() const;
  // Returns what is pending as one sealed commit. Until committed(), further calls return that same commit,
  // so that it can be tried again when its outcome is unknown. Messages applied meanwhile go into the next
  // commit. The reference is valid until committed(), drop() or assign().
  [[nodiscard]] const Commit& take(const PartitionKey& partition, std::string cluster_id);
  void committed(const Commit& commit);

  // Checks the invariants (proto/must.h).
  void check() const;
  [[nodiscard]] SettlerCounters counters() const;
  // For /health: agent ids that two hosts use. Each is forgotten 10 minutes after its last sign.
  [[nodiscard]] std::vector<std::string> problems(std::int64_t now_ms) const;

 private:
  struct Impl;
  explicit Settler(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
