// Settling: messages become one commit. Pure: messages and states in, Commits out; no store, no broker,
// no clock (times are arguments). Not thread-safe.
//
// For each message of a partition, in offset order: need() until it says Ready, then apply(). From time to
// time: take() a Commit, give it to the store, then committed() or drop(). What was applied and not yet
// committed is pending; the caller bounds its size by pending_bytes().
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
  std::size_t max_sites = 10000;  // further sites become "(other)"
  DecodeLimits limits;
  // Of raw lines and of foreign JSON's `message` (Filebeat, Fluent Bit, Vector).
  FormatSpec foreign_format;
};

// Since creation. What was dropped and applied again counts twice.
struct SettlerCounters {
  std::uint64_t messages = 0, message_bytes = 0;
  std::uint64_t records = 0;
  std::uint64_t dead_letters = 0;
  std::uint64_t duplicate_bytes = 0;  // content bytes that were counted already
  std::uint64_t content_bytes = 0;    // content bytes newly counted
};

// The settler can take the message.
struct Ready {};
// Commit (or drop) all that is pending of this other partition: it holds uncommitted ranges of the message's
// source. A source keeps its partition for life, so this is rare: an agent that lost its registry after the
// topic grew.
struct CommitFirst {
  PartitionKey partition;
};
// Read the source's row from the store, and give it to know_source().
struct Load {
  SourceId source;
};
using Need = std::variant<Ready, CommitFirst, Load>;

class Settler {
 public:
  // Errors: the foreign format does not compile.
  [[nodiscard]] static Result<std::unique_ptr<Settler>> create(const SettlerConfig& config,
                                                               const std::vector<std::string>& known_sites);
  // From the next message on. kInvalid: it does not compile; the old one stays.
  [[nodiscard]] Result<void> set_foreign_format(const FormatSpec& format);
  ~Settler();

  void assign(const PartitionKey& partition, const PartitionState& state);
  // Forgets all that is pending of a partition that was revoked, lost or fenced.
  void drop(const PartitionKey& partition);

  // What must happen before apply() may take the message. Ask until it says Ready.
  [[nodiscard]] Need need(const SourceMessage& message);
  // The answer to Load. Of a source that the store does not have: a SourceState with just the id.
  void know_source(const SourceState& state);

  // Ignores messages below the partition's next offset (they were seen before). Never fails: a message that
  // does not decode becomes a dead letter.
  void apply(const SourceMessage& message, std::int64_t now_ms);
  // Records as a dead letter that [wanted, resumed_at) of the partition is lost.
  void record_gap(const OffsetOutOfRange& gap, std::int64_t now_ms);

  [[nodiscard]] std::uint64_t pending_bytes() const;
  [[nodiscard]] bool has_pending(const PartitionKey& partition) const;
  [[nodiscard]] std::vector<PartitionKey> pending_partitions() const;
  // What is pending, as one commit, which is sealed: until committed() further calls return the very same
  // one, so that a commit whose outcome is unknown can be tried again. What is applied meanwhile goes into
  // the next. The reference is valid until committed(), drop() or assign().
  [[nodiscard]] const Commit& take(const PartitionKey& partition, std::string cluster_id);
  void committed(const Commit& commit);

  // Its invariants (proto/must.h).
  void check() const;
  [[nodiscard]] SettlerCounters counters() const;
  // For /health: agent ids that two hosts use. Forgotten 10 minutes after the last sign of it.
  [[nodiscard]] std::vector<std::string> problems(std::int64_t now_ms) const;

 private:
  struct Impl;
  explicit Settler(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
