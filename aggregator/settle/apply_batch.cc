// What a batch adds to a commit: records, windows, a heartbeat or a loss.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "aggregator/settle/clean_text.h"
#include "aggregator/settle/settler_impl.h"

namespace weir {
namespace {

// A hostile agent could leave a gap with every batch. At this limit, a batch that would add another gap is
// refused.
constexpr std::size_t kMaxGapsPerSource = 10000;

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

// The cause to record for a gap that a batch of this partition leaves.
LossCause cause_of_gaps(const SettledPartition& partition) {
  return partition.lost_offsets ? LossCause::kRetention : LossCause::kNotReceived;
}

}  // namespace

void Settler::Impl::apply_batch(SettledPartition& partition, DecodedBatch& batch,
                                const SourceMessage& message, std::int64_t now_ms) {
  BatchHeader& header = batch.header;
  header.host = clean_text(header.host, kMaxNameBytes);
  header.agent_id = clean_text(header.agent_id, kMaxNameBytes);
  header.input = clean_text(header.input, kMaxNameBytes);
  header.path = clean_text(header.path, kMaxPathBytes);
  conflicts.note(header, now_ms);
  switch (header.kind) {
    case BatchKind::kHeartbeat:
      return apply_heartbeat(partition.open, header, message, now_ms);
    case BatchKind::kLoss:
    case BatchKind::kClaim:
      return apply_loss(partition, header, message, now_ms);
    case BatchKind::kWindows:
      return apply_windows(partition, batch, message, now_ms);
    case BatchKind::kRecords:
      return apply_records(partition, batch, message, now_ms);
  }
}

void Settler::Impl::apply_heartbeat(Generation& generation, const BatchHeader& header,
                                    const SourceMessage& message, std::int64_t now_ms) {
  AgentState& agent = generation.agents[header.agent_id];
  if (agent.agent_id.empty()) generation.bytes += sizeof(AgentState) + 2 * header.agent_id.size() + 64;
  agent.agent_id = header.agent_id;
  agent.host = header.host;
  agent.instance = header.instance;
  // Use the broker's time, so that a dead agent does not look alive while its backlog is read.
  agent.last_heartbeat_ms = message.timestamp_ms > 0 ? std::min(message.timestamp_ms, now_ms) : now_ms;
  agent.watermark_ms = header.watermark_ms == kNoTime ? 0 : header.watermark_ms;
  agent.lag_bytes = header.lag_bytes;
}

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
    if (it->text.empty()) {  // beyond the batch's samples: only counted
      ++generation.dead_letter_count;
      ++counters.dead_letters;
      continue;
    }
    add_dead_letter(generation, unparsed_letter(state, message, *it, now_ms));
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

void Settler::Impl::apply_records(SettledPartition& partition, DecodedBatch& batch,
                                  const SourceMessage& message, std::int64_t now_ms) {
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
    // Skip a line that begins before the part: it was counted. Parts are cut at line ends, unless the file
    // was rewritten under its agent. In that case no cut is right.
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

void Settler::Impl::count_folded(Generation& generation, SourceState& state, const FoldedLines& folded,
                                 const SourceMessage& message, std::int64_t now_ms) {
  std::uint64_t sampled = 0;
  for (const auto& bad : folded.samples) {
    if (bad.text.empty()) continue;
    ++sampled;
    add_dead_letter(generation, unparsed_letter(state, message, bad, now_ms));
  }
  // Beyond a batch's samples they are only counted.
  generation.dead_letter_count += folded.unparsed - sampled;
  counters.dead_letters += folded.unparsed - sampled;
  counters.records += folded.lines - folded.unparsed - folded.filtered;
  state.lines += folded.lines;
  state.unparsed += folded.unparsed;
  state.too_long += folded.too_long;
  state.filtered += folded.filtered;
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

// All or nothing: sums cannot be split.
void Settler::Impl::apply_windows(SettledPartition& partition, DecodedBatch& batch,
                                  const SourceMessage& message, std::int64_t now_ms) {
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
    count_folded(generation, state, folded, message, now_ms);
    counters.content_bytes += uncovered;
    generation.windows.add(std::move(batch.folded), header.host, admits(generation));
  }
  if (!refused) counters.duplicate_bytes += header.range.size() - uncovered;
  touch(partition, source, header, message, now_ms);
}

// The agent says that bytes will never come (a loss) or that all of them were acknowledged (a claim).
// Whatever is missing from that range is a gap.
void Settler::Impl::apply_loss(SettledPartition& partition, const BatchHeader& header,
                               const SourceMessage& message, std::int64_t now_ms) {
  KnownSource& source = sources[header.source];
  const auto cause = header.kind == BatchKind::kClaim ? cause_of_gaps(partition) : header.loss_cause;
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
  add_dead_letter(generation, {.partition = message.partition,
                               .offset = message.offset,
                               .kind = DeadLetterKind::kRefused,
                               .source = header.source.hex(),
                               .reason = std::move(reason),
                               .text = header.path,
                               .seen_ms = now_ms});
}

// Puts the source's row into the next commit.
void Settler::Impl::touch(SettledPartition& partition, KnownSource& source, const BatchHeader& header,
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

}  // namespace weir
