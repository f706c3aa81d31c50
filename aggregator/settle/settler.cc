#include "aggregator/settle/settler.h"

#include <fmt/format.h>

#include <utility>

#include "aggregator/settle/settler_impl.h"
#include "common/text.h"
#include "proto/must.h"

namespace weir {
namespace {

// How many a commit keeps; all are counted. A topic full of garbage must not fill the memory.
constexpr std::size_t kMaxDeadLettersPerCommit = 1000;
constexpr std::size_t kMaxKnownSources = 200'000;

DecodeLimits limits_of(const SettlerConfig& config) {
  DecodeLimits limits = config.limits;
  // Only the fields that windows are grouped by.
  limits.text_columns =
      1U << static_cast<unsigned>(Text::kHost) | 1U << static_cast<unsigned>(Text::kServerName);
  limits.extra_columns = false;
  return limits;
}

}  // namespace

Settler::Impl::Impl(const SettlerConfig& config_in, std::unique_ptr<ForeignReader> foreign_in,
                    const std::vector<std::string>& known_sites)
    : config(config_in),
      foreign(std::move(foreign_in)),
      sites(config.max_sites, known_sites),
      decoded(limits_of(config)) {}

SettledPartition* Settler::Impl::applicable(const SourceMessage& message) {
  const auto it = partitions.find(message.partition);
  if (it == partitions.end() || message.offset < it->second.next_apply) return nullptr;
  return &it->second;
}

const SourceId* Settler::Impl::source_of(const SourceMessage& message) {
  if (applicable(message) == nullptr || !looks_like_batch(message.payload)) return nullptr;
  const auto& batch = decoded.of(message);
  if (!batch || batch->header.kind == BatchKind::kHeartbeat) return nullptr;
  return &batch->header.source;
}

void Settler::Impl::add_dead_letter(Generation& generation, DeadLetter letter) {
  ++generation.dead_letter_count;
  ++counters.dead_letters;
  if (generation.dead_letters.size() >= kMaxDeadLettersPerCommit) return;
  // People read both: bytes from outside must not move the cursor or reverse the text around them.
  letter.text = clean_text(visible(letter.text.substr(0, kDeadLetterTextBytes)), kDeadLetterTextBytes);
  letter.reason = visible(letter.reason);
  generation.bytes += sizeof(DeadLetter) + letter.text.size() + letter.reason.size();
  generation.dead_letters.push_back(std::move(letter));
}

Settler::Settler(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Settler::~Settler() = default;

Result<std::unique_ptr<Settler>> Settler::create(const SettlerConfig& config,
                                                 const std::vector<std::string>& known_sites) {
  auto foreign = ForeignReader::create(config.foreign_format);
  if (!foreign) return std::unexpected(foreign.error());
  auto impl = std::make_unique<Impl>(config, std::move(*foreign), known_sites);
  return std::unique_ptr<Settler>(new Settler(std::move(impl)));
}

Result<void> Settler::set_foreign_format(const FormatSpec& format) {
  auto foreign = ForeignReader::create(format);
  if (!foreign) return std::unexpected(foreign.error());
  impl_->config.foreign_format = format;
  impl_->foreign = std::move(*foreign);
  return {};
}

void Settler::assign(const PartitionKey& partition, const PartitionState& state) {
  if (const auto before = impl_->partitions.find(partition); before != impl_->partitions.end())
    MUST(before->second.state.epoch <= state.epoch, "the epochs of a partition ascend");
  drop(partition);
  SettledPartition& assigned =
      impl_->partitions.emplace(partition, SettledPartition(impl_->config.fold)).first->second;
  assigned.state = state;
  assigned.next_apply = state.next_offset;
}

void Settler::drop(const PartitionKey& partition) {
  if (impl_->partitions.erase(partition) == 0) return;
  // Their coverage here is ahead of the store's, or will fall behind the new owner's.
  std::erase_if(impl_->sources, [&](const auto& entry) { return entry.second.partition == partition; });
  impl_->decoded.forget();
}

Need Settler::need(const SourceMessage& message) {
  const SourceId* id = impl_->source_of(message);
  if (id == nullptr) return Ready{};
  const auto it = impl_->sources.find(*id);
  if (it == impl_->sources.end()) return Load{*id};
  const KnownSource& source = it->second;
  if (!source.partition || *source.partition == message.partition) return Ready{};
  if (source.in_open || source.in_sealed) return CommitFirst{*source.partition};
  // Another process may own the other partition by now.
  return Load{*id};
}

void Settler::know_source(const SourceState& state) {
  if (impl_->sources.size() >= kMaxKnownSources)
    std::erase_if(impl_->sources,
                  [](const auto& entry) { return !entry.second.in_open && !entry.second.in_sealed; });
  KnownSource& source = impl_->sources[state.id];
  MUST(!source.in_open && !source.in_sealed, "a source is not read from the store while a commit has it");
  source.state = state;
  source.partition.reset();
}

void Settler::apply(const SourceMessage& message, std::int64_t now_ms) {
  SettledPartition* partition = impl_->applicable(message);
  if (partition == nullptr) return;
  Generation& generation = partition->open;
  ++impl_->counters.messages;
  impl_->counters.message_bytes += message.payload.size();

  if (!looks_like_batch(message.payload)) {
    impl_->apply_foreign(generation, message, now_ms);
  } else if (auto& batch = impl_->decoded.of(message); !batch) {
    impl_->add_dead_letter(generation, {.partition = message.partition,
                                        .offset = message.offset,
                                        .kind = DeadLetterKind::kUnreadable,
                                        .reason = batch.error().what,
                                        .text = message.payload.substr(0, kDeadLetterTextBytes),
                                        .seen_ms = now_ms});
  } else {
    impl_->apply_batch(*partition, *batch, message, now_ms);
  }
  impl_->decoded.forget();
  generation.leader_epoch = message.leader_epoch;
  partition->next_apply = message.offset + 1;
  partition->open_touched = true;
}

void Settler::record_gap(const OffsetOutOfRange& gap, std::int64_t now_ms) {
  const auto it = impl_->partitions.find(gap.partition);
  if (it == impl_->partitions.end()) return;
  SettledPartition& partition = it->second;
  impl_->add_dead_letter(
      partition.open,
      {.partition = gap.partition,
       .offset = gap.wanted,
       .kind = gap.wanted <= gap.resumed_at ? DeadLetterKind::kMessagesGone : DeadLetterKind::kOffsetGone,
       .source = {},
       .reason = gap.wanted <= gap.resumed_at
                     ? fmt::format("messages [{}, {}) are gone: the topic kept them for less time than the "
                                   "aggregator was away; raise the topic's retention",
                                   gap.wanted, gap.resumed_at)
                     : fmt::format("offset {} does not exist yet: the topic was created again or lost its "
                                   "end; went on at {}",
                                   gap.wanted, gap.resumed_at),
       .text = {},
       .seen_ms = now_ms});
  partition.next_apply = gap.resumed_at;
  partition.lost_offsets = true;
  partition.open_touched = true;
}

std::uint64_t Settler::pending_bytes() const {
  std::uint64_t bytes = 0;
  for (const auto& [key, partition] : impl_->partitions)
    bytes += partition.open.all_bytes() + partition.sealed_bytes;
  return bytes;
}

bool Settler::has_pending(const PartitionKey& partition) const {
  const auto it = impl_->partitions.find(partition);
  return it != impl_->partitions.end() && (it->second.open_touched || it->second.sealed);
}

std::vector<PartitionKey> Settler::pending_partitions() const {
  std::vector<PartitionKey> keys;
  for (const auto& [key, partition] : impl_->partitions) {
    if (partition.open_touched || partition.sealed) keys.push_back(key);
  }
  return keys;
}

const Commit& Settler::take(const PartitionKey& key, std::string cluster_id) {
  static const Commit nothing;
  const auto it = impl_->partitions.find(key);
  if (it == impl_->partitions.end()) return nothing;
  SettledPartition& partition = it->second;
  if (partition.sealed) return *partition.sealed;

  Generation generation = std::exchange(partition.open, Generation(impl_->config.fold));
  partition.open_touched = false;
  partition.sealed_bytes = generation.all_bytes();
  Commit& commit = partition.sealed.emplace();
  commit.partition = key;
  commit.epoch = partition.state.epoch;
  commit.expected_next_offset = partition.state.next_offset;
  commit.next_offset = partition.next_apply;
  commit.cluster_id = cluster_id.empty() ? partition.state.cluster_id : std::move(cluster_id);
  commit.leader_epoch = generation.leader_epoch;
  commit.windows = generation.windows.take();
  for (const SourceId& id : generation.sources) {
    KnownSource& source = impl_->sources.at(id);
    source.in_open = false;
    source.in_sealed = true;
    commit.sources.push_back(source.state);
  }
  commit.dead_letters = std::move(generation.dead_letters);
  commit.dead_letter_count = generation.dead_letter_count;
  for (auto& [id, agent] : generation.agents) commit.agents.push_back(std::move(agent));
  commit.new_sites.assign(generation.new_sites.begin(), generation.new_sites.end());
  return commit;
}

void Settler::committed(const Commit& commit) {
  const auto it = impl_->partitions.find(commit.partition);
  if (it == impl_->partitions.end() || !it->second.sealed || it->second.state.epoch != commit.epoch) return;
  SettledPartition& partition = it->second;
  MUST(commit.next_offset == partition.sealed->next_offset &&
           commit.sources.size() == partition.sealed->sources.size(),
       "what was committed is the sealed commit");
  MUST(commit.expected_next_offset == partition.state.next_offset,
       "a commit begins where the one before it ended");
  partition.state.next_offset = commit.next_offset;
  for (const SourceState& state : commit.sources) {
    if (const auto source = impl_->sources.find(state.id); source != impl_->sources.end()) {
      source->second.in_sealed = false;
      source->second.state.version = state.version + 1;
    }
  }
  for (const std::string& site : commit.new_sites) impl_->sites.stored(site);
  partition.sealed.reset();
  partition.sealed_bytes = 0;
}

SettlerCounters Settler::counters() const { return impl_->counters; }

std::vector<std::string> Settler::problems(std::int64_t now_ms) const {
  return impl_->conflicts.sentences(now_ms);
}

}  // namespace weir
