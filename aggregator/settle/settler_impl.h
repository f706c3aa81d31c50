// The settler's state between messages. Only its own files include this: settler.cc holds the protocol with
// the engine, apply_batch.cc and apply_foreign.cc what a message adds.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "aggregator/settle/agent_conflicts.h"
#include "aggregator/settle/decoded_message.h"
#include "aggregator/settle/foreign.h"
#include "aggregator/settle/settler.h"
#include "aggregator/settle/site_admission.h"

namespace weir {

inline constexpr std::size_t kDeadLetterTextBytes = 512;

// The contents of one commit.
struct Generation {
  explicit Generation(const FoldConfig& fold) : windows(fold) {}
  [[nodiscard]] std::uint64_t all_bytes() const { return bytes + windows.bytes(); }

  WindowTable windows;
  std::set<SourceId> sources;
  std::vector<DeadLetter> dead_letters;
  std::uint64_t dead_letter_count = 0;
  std::map<std::string, AgentState> agents;
  SiteAdmission::NewSites new_sites;
  std::uint64_t bytes = 0;  // not counting the windows
  std::int32_t leader_epoch = -1;
};

struct SettledPartition {
  explicit SettledPartition(const FoldConfig& fold) : open(fold) {}

  PartitionState state;
  std::int64_t next_apply = -1;  // messages below this offset were applied: they are pending or committed
  Generation open;
  std::optional<Commit> sealed;  // taken, not yet committed
  std::uint64_t sealed_bytes = 0;
  bool lost_offsets = false;  // some of the partition's messages were lost since it was assigned
  bool open_touched = false;  // something was applied since the last take()
};

struct KnownSource {
  SourceState state;
  std::optional<PartitionKey> partition;  // where it was last applied from; none: fresh from the store
  bool in_open = false;
  bool in_sealed = false;
};

struct Settler::Impl {
  Impl(const SettlerConfig& config_in, std::unique_ptr<ForeignReader> foreign_in,
       const std::vector<std::string>& known_sites);

  SettlerConfig config;
  std::unique_ptr<ForeignReader> foreign;
  std::map<PartitionKey, SettledPartition> partitions;
  std::unordered_map<SourceId, KnownSource, SourceIdHash> sources;
  SiteAdmission sites;
  AgentConflicts conflicts;
  SettlerCounters counters;
  DecodedMessage decoded;
  DecodedBatch foreign_batch;  // one line; kept so that its memory is reused
  ForeignReader::Reading reading;

  // The message's partition, if the message still has to be applied.
  [[nodiscard]] SettledPartition* applicable(const SourceMessage& message);
  // The source of a batch that still has to be applied.
  [[nodiscard]] const SourceId* source_of(const SourceMessage& message);
  // Says for the generation's windows which sites have rows of their own.
  [[nodiscard]] auto admits(Generation& generation) {
    return [this, &generation](const std::string& site) {
      return sites.admit(site, generation.new_sites, generation.bytes);
    };
  }
  void add_dead_letter(Generation& generation, DeadLetter letter);

  void apply_batch(SettledPartition& partition, DecodedBatch& batch, const SourceMessage& message,
                   std::int64_t now_ms);
  static void apply_heartbeat(Generation& generation, const BatchHeader& header, const SourceMessage& message,
                              std::int64_t now_ms);
  void apply_records(SettledPartition& partition, DecodedBatch& batch, const SourceMessage& message,
                     std::int64_t now_ms);
  // Applies lines [first, end) of the batch. None of them may have been counted before.
  void apply_lines(Generation& generation, SourceState& state, const DecodedBatch& batch, std::uint32_t first,
                   std::uint32_t end, const SourceMessage& message, std::int64_t now_ms);
  void apply_windows(SettledPartition& partition, DecodedBatch& batch, const SourceMessage& message,
                     std::int64_t now_ms);
  void count_folded(Generation& generation, SourceState& state, const FoldedLines& folded,
                    const SourceMessage& message, std::int64_t now_ms);
  // Why the windows cannot be added; nullopt: they can. `uncovered`: bytes of their range not yet counted.
  [[nodiscard]] std::optional<std::string> refusal(const DecodedBatch& batch, std::uint64_t uncovered) const;
  void apply_loss(SettledPartition& partition, const BatchHeader& header, const SourceMessage& message,
                  std::int64_t now_ms);
  void touch(SettledPartition& partition, KnownSource& source, const BatchHeader& header,
             const SourceMessage& message, std::int64_t now_ms);
  void refuse(Generation& generation, const BatchHeader& header, const SourceMessage& message,
              std::string reason, std::int64_t now_ms);
  void apply_foreign(Generation& generation, const SourceMessage& message, std::int64_t now_ms);

  void check_partition(const PartitionKey& key, const SettledPartition& partition) const;
  void check_sealed(const PartitionKey& key, const SettledPartition& partition) const;
};

}  // namespace weir
