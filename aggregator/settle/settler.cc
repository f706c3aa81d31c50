#include "aggregator/settle/settler.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "aggregator/settle/clean_text.h"
#include "aggregator/settle/foreign.h"
#include "proto/must.h"

namespace weir {
namespace {

constexpr std::size_t kDeadLetterTextBytes = 512;
// Kept per commit; all are counted. A topic full of rubbish must not fill the memory.
constexpr std::size_t kMaxDeadLettersPerCommit = 1000;
// A hostile agent could leave a gap with every batch. Past this, what would leave one more is refused.
constexpr std::size_t kMaxGapsPerSource = 10000;
constexpr std::size_t kMaxKnownSources = 200'000;
constexpr std::size_t kMaxKnownAgents = 100'000;
constexpr std::int64_t kConflictMemoryMs = 10 * 60 * 1000;

DeadLetter unparsed_letter(const SourceState& source, const SourceMessage& message, const UnparsedLine& bad,
                           std::int64_t now_ms) {
  return {.partition = message.partition,
          .offset = message.offset,
          .line = bad.line,
          .kind = DeadLetterKind::kUnreadable,
          .source = source.id.hex(),
          .reason = std::string(to_string(bad.reason)),
          .text = bad.text,
          .seen_ms = now_ms};
}

// What one commit will hold.
struct Generation {
  explicit Generation(const FoldConfig& fold) : windows(fold) {}
  [[nodiscard]] std::uint64_t all_bytes() const { return bytes + windows.bytes(); }

  WindowTable windows;
  std::set<SourceId> sources;
  std::vector<DeadLetter> dead_letters;
  std::uint64_t dead_letter_count = 0;
  std::map<std::string, AgentState> agents;
  std::set<std::string, std::less<>> new_sites;
  std::uint64_t bytes = 0;  // beside the windows
  std::int32_t leader_epoch = -1;
};

struct Partition {
  explicit Partition(const FoldConfig& fold) : open(fold) {}

  PartitionState state;
  std::int64_t next_apply = -1;  // offsets below were applied (pending or committed)
  Generation open;
  std::optional<Commit> sealed;  // taken and not yet committed
  std::uint64_t sealed_bytes = 0;
  bool lost_offsets = false;  // messages of it are gone, since it was assigned
  bool open_touched = false;  // something was applied since the last take()
};

struct KnownSource {
  SourceState state;
  std::optional<PartitionKey> partition;  // it was last applied from; none: fresh from the store
  bool in_open = false;
  bool in_sealed = false;
};

struct AgentClaims {
  struct Claim {
    std::uint64_t instance = 0;
    std::string host;
    std::int64_t seen_ms = 0;
  };
  std::vector<Claim> claims;  // at most two: enough to name a conflict
};

}  // namespace

struct Settler::Impl {
  SettlerConfig config;
  std::unique_ptr<ForeignReader> foreign;
  std::map<PartitionKey, Partition> partitions;
  std::unordered_map<SourceId, KnownSource, SourceIdHash> sources;
  std::map<std::string, bool, std::less<>> sites;  // -> the store has it
  std::unordered_map<std::string, AgentClaims> agents;
  SettlerCounters counters;

  // blocked_by(), wants() and apply() look at the same message in turn: it is decoded once.
  PartitionKey decoded_partition;
  std::int64_t decoded_offset = -1;
  std::optional<Result<DecodedBatch>> decoded;

  DecodedBatch foreign_batch;
  ForeignReader::Reading reading;

  Partition* applicable(const SourceMessage& message) {
    const auto it = partitions.find(message.partition);
    if (it == partitions.end() || message.offset < it->second.next_apply) return nullptr;
    return &it->second;
  }

  Result<DecodedBatch>& decode(const SourceMessage& message) {
    if (!decoded || decoded_offset != message.offset || decoded_partition != message.partition) {
      decoded.emplace(decode_batch(message.payload, config.limits));
      decoded_partition = message.partition;
      decoded_offset = message.offset;
    }
    return *decoded;
  }

  // The source of a batch of records that is still to be applied.
  const SourceId* source_of(const SourceMessage& message) {
    if (applicable(message) == nullptr || !looks_like_batch(message.payload)) return nullptr;
    const auto& batch = decode(message);
    if (!batch || batch->header.kind == BatchKind::kHeartbeat) return nullptr;
    return &batch->header.source;
  }

  void dead_letter(Generation& generation, DeadLetter letter) {
    ++generation.dead_letter_count;
    ++counters.dead_letters;
    if (generation.dead_letters.size() >= kMaxDeadLettersPerCommit) return;
    if (letter.text.size() > kDeadLetterTextBytes) letter.text.resize(kDeadLetterTextBytes);
    generation.bytes += sizeof(DeadLetter) + letter.text.size() + letter.reason.size();
    generation.dead_letters.push_back(std::move(letter));
  }

  // True when the site may be a key of its own.
  bool admit(const std::string& site, Generation& generation) {
    if (site == kOtherSite || site == kNoSite || site == kInvalidSite) return true;
    auto it = sites.find(site);
    if (it == sites.end()) {
      if (sites.size() >= config.max_sites) return false;
      it = sites.emplace(site, false).first;
    }
    // Until a commit has brought it to the store each commit that uses it carries it:
    // the one that admitted it may be dropped.
    if (!it->second && generation.new_sites.insert(site).second) generation.bytes += site.size() + 64;
    return true;
  }

  // For the generation's windows: who may have rows of its own.
  auto admits(Generation& generation) {
    return [this, &generation](const std::string& site) { return admit(site, generation); };
  }

  void note_agent(const BatchHeader& header, std::int64_t now_ms) {
    auto it = agents.find(header.agent_id);
    if (it == agents.end()) {
      if (agents.size() >= kMaxKnownAgents) return;
      it = agents.emplace(header.agent_id, AgentClaims{}).first;
    }
    auto& claims = it->second.claims;
    const auto same = std::find_if(claims.begin(), claims.end(),
                                   [&](const auto& claim) { return claim.instance == header.instance; });
    if (same != claims.end()) {
      same->host = header.host;
      same->seen_ms = now_ms;
      return;
    }
    AgentClaims::Claim claim{header.instance, header.host, now_ms};
    if (claims.size() < 2) {
      claims.push_back(std::move(claim));
    } else {
      *std::min_element(claims.begin(), claims.end(), [](const auto& a, const auto& b) {
        return a.seen_ms < b.seen_ms;
      }) = std::move(claim);
    }
  }

  void apply_heartbeat(Generation& generation, const BatchHeader& header, const SourceMessage& message,
                       std::int64_t now_ms) {
    AgentState& agent = generation.agents[header.agent_id];
    if (agent.agent_id.empty()) generation.bytes += sizeof(AgentState) + 2 * header.agent_id.size() + 64;
    agent.agent_id = header.agent_id;
    agent.host = header.host;
    agent.instance = header.instance;
    // The broker's time: an agent that died does not look alive while a backlog is read.
    agent.last_heartbeat_ms = message.timestamp_ms > 0 ? std::min(message.timestamp_ms, now_ms) : now_ms;
    agent.watermark_ms = header.watermark_ms == kNoTime ? 0 : header.watermark_ms;
    agent.lag_bytes = header.lag_bytes;
  }

  void apply_records(Partition& partition, DecodedBatch& batch, const SourceMessage& message,
                     std::int64_t now_ms);
  void apply_lines(Generation& generation, SourceState& state, const DecodedBatch& batch, std::uint32_t first,
                   std::uint32_t end, const SourceMessage& message, std::int64_t now_ms);
  void apply_windows(Partition& partition, DecodedBatch& batch, const SourceMessage& message,
                     std::int64_t now_ms);
  // Why the windows cannot be added; nothing: they can. `uncovered`: how many bytes of their range.
  [[nodiscard]] std::optional<std::string> refusal(const DecodedBatch& batch, std::uint64_t uncovered) const;
  void apply_loss(Partition& partition, const BatchHeader& header, const SourceMessage& message,
                  std::int64_t now_ms);
  // Why a gap that a batch of the partition leaves may be there.
  [[nodiscard]] static LossCause cause_of_gaps(const Partition& partition) {
    return partition.lost_offsets ? LossCause::kRetention : LossCause::kNotReceived;
  }
  void touch(Partition& partition, KnownSource& source, const BatchHeader& header,
             const SourceMessage& message, std::int64_t now_ms);
  void refuse(Generation& generation, const BatchHeader& header, const SourceMessage& message,
              std::string reason, std::int64_t now_ms);
  void apply_foreign(Generation& generation, const SourceMessage& message, std::int64_t now_ms);
  void forget_clean_sources();
};

// Lines [first, end) of the batch, none of them counted before.
void Settler::Impl::apply_lines(Generation& generation, SourceState& state, const DecodedBatch& batch,
                                std::uint32_t first, std::uint32_t end, const SourceMessage& message,
                                std::int64_t now_ms) {
  const Columns& columns = batch.columns;
  generation.windows.add(batch, first, end, admits(generation));

  const auto by_line = [](const UnparsedLine& unparsed, std::uint32_t line) { return unparsed.line < line; };
  const auto begin_unparsed =
      std::lower_bound(columns.unparsed.begin(), columns.unparsed.end(), first, by_line);
  const auto end_unparsed = std::lower_bound(begin_unparsed, columns.unparsed.end(), end, by_line);
  for (auto it = begin_unparsed; it != end_unparsed; ++it) {
    if (it->reason == Unparsed::kTooLong) ++state.too_long;
    if (it->text.empty()) {  // beyond the samples of its batch: counted
      ++generation.dead_letter_count;
      ++counters.dead_letters;
      continue;
    }
    dead_letter(generation, unparsed_letter(state, message, *it, now_ms));
  }

  const auto records_before = [&](std::uint32_t line) {
    return std::lower_bound(columns.record_line.begin(), columns.record_line.end(), line) -
           columns.record_line.begin();
  };
  const auto lines = static_cast<std::uint64_t>(end - first);
  const auto records = static_cast<std::uint64_t>(records_before(end) - records_before(first));
  const auto unparsed = static_cast<std::uint64_t>(end_unparsed - begin_unparsed);
  counters.records += records;
  state.lines += lines;
  state.unparsed += unparsed;
  state.filtered += lines - std::min(lines, records + unparsed);
}

void Settler::Impl::apply_records(Partition& partition, DecodedBatch& batch, const SourceMessage& message,
                                  std::int64_t now_ms) {
  const BatchHeader& header = batch.header;
  const Columns& columns = batch.columns;
  Generation& generation = partition.open;

  std::uint64_t content_bytes = 0;
  for (const std::uint32_t bytes : columns.line_bytes) content_bytes += bytes;
  if (header.range.end < header.range.begin || header.range.size() != content_bytes) {
    refuse(generation, header, message,
           fmt::format("the batch says [{}, {}) but its lines are {} bytes", header.range.begin,
                       header.range.end, content_bytes),
           now_ms);
    return;
  }

  KnownSource& source = sources[header.source];
  SourceState& state = source.state;
  if (state.coverage.gaps().size() >= kMaxGapsPerSource) {
    Coverage with = state.coverage;
    with.add(header.range, header.origin);
    if (with.gaps().size() > state.coverage.gaps().size()) {
      refuse(generation, header, message,
             fmt::format("the source has {} gaps already; [{}, {}) would leave one more and is not counted",
                         kMaxGapsPerSource, header.range.begin, header.range.end),
             now_ms);
      return;
    }
  }

  std::uint32_t line = 0;
  std::uint64_t line_begin = header.range.begin;
  const auto lines = static_cast<std::uint32_t>(columns.line_bytes.size());
  std::uint64_t counted = 0;
  for (const ByteRange& part : state.coverage.uncovered(header.range)) {
    // A line that is partly counted was counted: parts are cut at line ends, unless the
    // file was rewritten under its agent, and then no cut is right.
    while (line < lines && line_begin < part.begin) line_begin += columns.line_bytes[line++];
    const std::uint32_t first = line;
    while (line < lines && line_begin + columns.line_bytes[line] <= part.end) {
      line_begin += columns.line_bytes[line++];
    }
    if (first < line) apply_lines(generation, state, batch, first, line, message, now_ms);
    counted += part.size();
  }
  counters.content_bytes += counted;
  counters.duplicate_bytes += header.range.size() - counted;

  if (!header.range.empty())
    state.coverage.add(header.range, header.origin, cause_of_gaps(partition), now_ms);
  touch(partition, source, header, message, now_ms);
}

std::optional<std::string> Settler::Impl::refusal(const DecodedBatch& batch, std::uint64_t uncovered) const {
  const auto& range = batch.header.range;
  if (batch.folded.window_s != config.fold.window_s)
    return fmt::format(
        "windows of {} s, and this aggregator has windows of {} s: set [ship] window = \"{}s\" of agent {}; "
        "[{}, {}) is a gap until it comes as records",
        batch.folded.window_s, config.fold.window_s, config.fold.window_s, batch.header.agent_id, range.begin,
        range.end);
  if (uncovered != range.size())
    return fmt::format(
        "windows of [{}, {}) of which {} bytes were counted already: they cannot be cut, the rest is a gap "
        "until it "
        "comes as records; was the registry of agent {} lost?",
        range.begin, range.end, range.size() - uncovered, batch.header.agent_id);
  return std::nullopt;
}

// All or nothing: what was summed cannot be cut.
void Settler::Impl::apply_windows(Partition& partition, DecodedBatch& batch, const SourceMessage& message,
                                  std::int64_t now_ms) {
  const BatchHeader& header = batch.header;
  const FoldedLines& folded = batch.folded;
  Generation& generation = partition.open;
  KnownSource& source = sources[header.source];
  SourceState& state = source.state;
  std::uint64_t uncovered = 0;
  for (const ByteRange& part : state.coverage.uncovered(header.range)) uncovered += part.size();
  const auto refused = uncovered == 0 ? std::nullopt : refusal(batch, uncovered);
  Coverage with = state.coverage;
  if (refused) {
    with.lose(header.range, header.origin, LossCause::kWindowsRefused, now_ms);
  } else {
    with.add(header.range, header.origin, cause_of_gaps(partition), now_ms);
  }
  if (with.gaps().size() > kMaxGapsPerSource && with.gaps().size() > state.coverage.gaps().size()) {
    refuse(generation, header, message,
           fmt::format("the source has {} gaps already; [{}, {}) would leave one more and is not counted",
                       kMaxGapsPerSource, header.range.begin, header.range.end),
           now_ms);
    return;
  }
  state.coverage = std::move(with);
  if (refused) {
    refuse(generation, header, message, *refused, now_ms);
  } else if (uncovered > 0) {
    for (const auto& bad : folded.samples) {
      if (!bad.text.empty()) dead_letter(generation, unparsed_letter(state, message, bad, now_ms));
    }
    // Beyond the samples of a batch: counted.
    const auto counted = folded.unparsed - static_cast<std::uint64_t>(std::count_if(
                                               folded.samples.begin(), folded.samples.end(),
                                               [](const auto& bad) { return !bad.text.empty(); }));
    generation.dead_letter_count += counted;
    counters.dead_letters += counted;
    counters.records += folded.lines - folded.unparsed - folded.filtered;
    state.lines += folded.lines;
    state.unparsed += folded.unparsed;
    state.too_long += folded.too_long;
    state.filtered += folded.filtered;
    counters.content_bytes += uncovered;
    generation.windows.add(std::move(batch.folded), header.host, admits(generation));
  }
  if (!refused) counters.duplicate_bytes += header.range.size() - uncovered;
  touch(partition, source, header, message, now_ms);
}

// The agent says that bytes will never come, or claims that all of them must have come by now.
void Settler::Impl::apply_loss(Partition& partition, const BatchHeader& header, const SourceMessage& message,
                               std::int64_t now_ms) {
  KnownSource& source = sources[header.source];
  const auto cause =
      header.loss_cause == LossCause::kNotReceived ? cause_of_gaps(partition) : header.loss_cause;
  Coverage with = source.state.coverage;
  with.lose(header.range, header.origin, cause, now_ms);
  if (with == source.state.coverage) return;
  if (with.gaps().size() > kMaxGapsPerSource) {
    refuse(partition.open, header, message,
           fmt::format("the source has {} gaps already; the loss of [{}, {}) is not recorded",
                       kMaxGapsPerSource, header.range.begin, header.range.end),
           now_ms);
    return;
  }
  source.state.coverage = std::move(with);
  touch(partition, source, header, message, now_ms);
}

void Settler::Impl::refuse(Generation& generation, const BatchHeader& header, const SourceMessage& message,
                           std::string reason, std::int64_t now_ms) {
  dead_letter(generation, {.partition = message.partition,
                           .offset = message.offset,
                           .kind = DeadLetterKind::kRefused,
                           .source = header.source.hex(),
                           .reason = std::move(reason),
                           .text = header.path,
                           .seen_ms = now_ms});
}

// The source's row goes into the next commit.
void Settler::Impl::touch(Partition& partition, KnownSource& source, const BatchHeader& header,
                          const SourceMessage& message, std::int64_t now_ms) {
  SourceState& state = source.state;
  Generation& generation = partition.open;
  state.id = header.source;
  state.agent_id = header.agent_id;
  state.host = header.host;
  state.input = header.input;
  state.path = header.path;
  state.instance = header.instance;
  if (state.first_seen_ms == 0) state.first_seen_ms = now_ms;
  state.last_seen_ms = std::max(state.last_seen_ms, now_ms);
  source.partition = message.partition;
  source.in_open = true;
  if (generation.sources.insert(state.id).second) {
    generation.bytes += sizeof(SourceState) + header.path.size() + header.agent_id.size() + 256 +
                        state.coverage.gaps().size() * sizeof(Gap);
  }
}

// One message, one record, once per (topic, partition, offset). Folded as a batch of one
// line, so that there is one arithmetic.
void Settler::Impl::apply_foreign(Generation& generation, const SourceMessage& message, std::int64_t now_ms) {
  switch (foreign->read(message.payload, reading)) {
    case ForeignReader::Outcome::kSkip:
      return;
    case ForeignReader::Outcome::kUnparsed:
      dead_letter(generation, {.partition = message.partition,
                               .offset = message.offset,
                               .source = {},
                               .reason = reading.reason,
                               .text = message.payload.substr(0, kDeadLetterTextBytes),
                               .seen_ms = now_ms});
      return;
    case ForeignReader::Outcome::kRecord:
      break;
  }
  const Record& record = reading.record;
  Columns& columns = foreign_batch.columns;
  foreign_batch.header.host = clean_text(reading.host, kMaxNameBytes);
  columns.record_line.assign(1, 0);
  columns.time_ms.assign(1, record.time_ms);
  columns.line_bytes.assign(1, 1);
  // Only what windows are grouped by.
  for (const Text field : {Text::kHost, Text::kServerName}) {
    auto& column = columns.text[static_cast<std::size_t>(field)];
    column.strings = {std::string_view(), record.get(field)};
    column.index.assign(1, record.has(field) ? 1 : 0);
  }
  for (std::size_t i = 0; i < kNumberCount; ++i) {
    auto& column = columns.number[i];
    column.clear();
    if (record.has(static_cast<Number>(i)))
      column.push_back(std::min(record.number[i], std::numeric_limits<std::uint64_t>::max() - 1) + 1);
  }
  generation.windows.add(foreign_batch, 0, 1, admits(generation));
  ++counters.records;
}

void Settler::Impl::forget_clean_sources() {
  if (sources.size() < kMaxKnownSources) return;
  std::erase_if(sources, [](const auto& entry) { return !entry.second.in_open && !entry.second.in_sealed; });
}

Settler::Settler() : impl_(std::make_unique<Impl>()) {}
Settler::~Settler() = default;

Result<std::unique_ptr<Settler>> Settler::create(const SettlerConfig& config,
                                                 const std::vector<std::string>& known_sites) {
  auto foreign = ForeignReader::create(config.foreign_format);
  if (!foreign) return std::unexpected(foreign.error());
  auto settler = std::unique_ptr<Settler>(new Settler());
  settler->impl_->config = config;
  // Only what windows are grouped by.
  settler->impl_->config.limits.text_columns =
      1U << static_cast<unsigned>(Text::kHost) | 1U << static_cast<unsigned>(Text::kServerName);
  settler->impl_->config.limits.extra_columns = false;
  settler->impl_->foreign = std::move(*foreign);
  for (const auto& site : known_sites) settler->impl_->sites.emplace(site, true);
  return settler;
}

void Settler::assign(const PartitionKey& partition, const PartitionState& state) {
  drop(partition);
  Partition& assigned = impl_->partitions.emplace(partition, Partition(impl_->config.fold)).first->second;
  assigned.state = state;
  assigned.next_apply = state.next_offset;
}

void Settler::drop(const PartitionKey& partition) {
  if (impl_->partitions.erase(partition) == 0) return;
  // Their coverage here is ahead of the store's, or will fall behind that of the new owner.
  std::erase_if(impl_->sources, [&](const auto& entry) { return entry.second.partition == partition; });
  impl_->decoded.reset();
}

std::optional<PartitionKey> Settler::blocked_by(const SourceMessage& message) {
  const SourceId* id = impl_->source_of(message);
  if (id == nullptr) return std::nullopt;
  const auto it = impl_->sources.find(*id);
  if (it == impl_->sources.end()) return std::nullopt;
  const KnownSource& source = it->second;
  if (!source.partition || *source.partition == message.partition) return std::nullopt;
  if (!source.in_open && !source.in_sealed) return std::nullopt;
  return source.partition;
}

std::optional<SourceId> Settler::wants(const SourceMessage& message) {
  const SourceId* id = impl_->source_of(message);
  if (id == nullptr) return std::nullopt;
  const auto it = impl_->sources.find(*id);
  // Known from another partition: that one's owner may be another process by now.
  if (it == impl_->sources.end() || (it->second.partition && *it->second.partition != message.partition)) {
    return *id;
  }
  return std::nullopt;
}

void Settler::know_source(const SourceState& state) {
  impl_->forget_clean_sources();
  KnownSource& source = impl_->sources[state.id];
  MUST(!source.in_open && !source.in_sealed, "a source is not read from the store while a commit has it");
  source.state = state;
  source.partition.reset();
}

void Settler::apply(const SourceMessage& message, std::int64_t now_ms) {
  Partition* partition = impl_->applicable(message);
  if (partition == nullptr) return;
  Generation& generation = partition->open;
  ++impl_->counters.messages;
  impl_->counters.message_bytes += message.payload.size();

  if (!looks_like_batch(message.payload)) {
    impl_->apply_foreign(generation, message, now_ms);
  } else if (auto& batch = impl_->decode(message); !batch) {
    impl_->dead_letter(generation, {.partition = message.partition,
                                    .offset = message.offset,
                                    .source = {},
                                    .reason = batch.error().what,
                                    .text = message.payload.substr(0, kDeadLetterTextBytes),
                                    .seen_ms = now_ms});
  } else {
    BatchHeader& header = batch->header;
    header.host = clean_text(header.host, kMaxNameBytes);
    header.agent_id = clean_text(header.agent_id, kMaxNameBytes);
    header.input = clean_text(header.input, kMaxNameBytes);
    header.path = clean_text(header.path, kMaxPathBytes);
    impl_->note_agent(header, now_ms);
    if (header.kind == BatchKind::kHeartbeat) {
      impl_->apply_heartbeat(generation, header, message, now_ms);
    } else if (header.kind == BatchKind::kLoss) {
      impl_->apply_loss(*partition, header, message, now_ms);
    } else if (header.kind == BatchKind::kWindows) {
      impl_->apply_windows(*partition, *batch, message, now_ms);
    } else {
      impl_->apply_records(*partition, *batch, message, now_ms);
    }
  }
  impl_->decoded.reset();
  generation.leader_epoch = message.leader_epoch;
  partition->next_apply = message.offset + 1;
  partition->open_touched = true;
}

void Settler::record_gap(const OffsetOutOfRange& gap, std::int64_t now_ms) {
  const auto it = impl_->partitions.find(gap.partition);
  if (it == impl_->partitions.end()) return;
  Partition& partition = it->second;
  impl_->dead_letter(
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
  Partition& partition = it->second;
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
  Partition& partition = it->second;
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
  for (const std::string& site : commit.new_sites) impl_->sites[site] = true;
  partition.sealed.reset();
  partition.sealed_bytes = 0;
}

void Settler::check() const {
#ifdef WEIR_MUST
  std::size_t in_open = 0;
  for (const auto& [key, partition] : impl_->partitions) {
    MUST(partition.lost_offsets || partition.next_apply >= partition.state.next_offset,
         "what is applied next is not below what is committed");
    MUST(partition.open_touched || (partition.open.sources.empty() && partition.open.bytes == 0),
         "a commit that nothing was applied to has nothing");
    MUST(partition.sealed || partition.sealed_bytes == 0, "only a sealed commit has bytes");
    for (const SourceId& id : partition.open.sources) {
      const auto source = impl_->sources.find(id);
      MUST(source != impl_->sources.end(), "the source of a commit is known");
      MUST(source->second.in_open && source->second.partition == key,
           "a source is in the open commit of its own partition");
      ++in_open;
    }
    if (!partition.sealed) continue;
    const Commit& commit = *partition.sealed;
    MUST(commit.partition == key && commit.epoch == partition.state.epoch,
         "a sealed commit is of the partition and epoch that it was taken in");
    MUST(commit.expected_next_offset == partition.state.next_offset,
         "a sealed commit begins where the last one ended");
    MUST(partition.lost_offsets || commit.next_offset <= partition.next_apply,
         "a sealed commit ends where something was applied");
    for (const SourceState& state : commit.sources) {
      const auto source = impl_->sources.find(state.id);
      MUST(source != impl_->sources.end() && source->second.in_sealed,
           "the sources of a sealed commit are known to be in it");
      MUST(source->second.state.version == state.version,
           "the version of a source changes only when its commit has landed");
      MUST(source->second.state.coverage.high_water() >= state.coverage.high_water(), "coverage only grows");
    }
  }
  std::size_t marked = 0;
  for (const auto& [id, source] : impl_->sources) {
    MUST(source.state.coverage.valid(), "the coverage of a source is valid");
    if (source.in_open || source.in_sealed)
      MUST(source.partition && impl_->partitions.contains(*source.partition),
           "a source with something pending belongs to an assigned partition");
    marked += source.in_open ? 1 : 0;
  }
  MUST(marked == in_open, "a source marked as pending is in one open commit");
#endif
}

SettlerCounters Settler::counters() const { return impl_->counters; }

std::vector<std::string> Settler::problems(std::int64_t now_ms) const {
  std::vector<std::string> problems;
  for (const auto& [id, agent] : impl_->agents) {
    const auto& claims = agent.claims;
    if (claims.size() < 2 || claims[0].host == claims[1].host) continue;
    if (std::min(claims[0].seen_ms, claims[1].seen_ms) < now_ms - kConflictMemoryMs) continue;
    problems.push_back(fmt::format(
        "hosts {} and {} both call themselves agent \"{}\" (a cloned machine?); give each its own [agent] id",
        claims[0].host, claims[1].host, id));
    if (problems.size() >= 10) break;
  }
  return problems;
}

}  // namespace weir
