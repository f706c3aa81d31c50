// Reading and shipping: whose turn it is, what is in flight, what the registry may know, and claims.
#include <algorithm>

#include "agent/core_impl.h"

namespace weir {
namespace {

constexpr std::int64_t kLossAgainMs = 1000;
constexpr std::int64_t kSendAgainMs = 500;  // after a failure
// Of one source that is shipped as windows: each has its end in the registry.
constexpr std::size_t kMaxCutsInFlight = 16;
// Batches that wait for one write of the registry before they are sent.
constexpr std::size_t kMaxStaged = 256;
constexpr std::size_t kMaxStagedBytes = 16 << 20;
// With acks below all a leader that dies takes with it what its followers do not have, and the claim
// beside it. One that is further behind (replica.lag.time.max.ms, 30 s) does not become the leader:
// what was claimed for longer than that has arrived, or shows.
constexpr std::int64_t kClaimBelowAllMs = 40'000;
constexpr std::int64_t kClaimPauseMs = 10'000;
// What failed may be a topic that is deleted and created again. A reader that goes on in it at the offset of
// the old one skips what came first, the claim with the batch: once it must have looked, it is told again.
constexpr std::int64_t kClaimAfterFailureMs = 10'000;
// Who counts forgets what it has not heard of for months; a log that rests is not gone.
constexpr std::int64_t kClaimAgainMs = 86'400'000;
// Small batches of ten thousand files would otherwise all be the output's at once, each with its overhead.
constexpr std::size_t kMaxInFlightMessages = 1000;

}  // namespace

std::vector<Message> AgentCore::Impl::for_each_topic(Message message) {
  std::vector<Message> messages;
  if (ships == Ship::kBoth) {
    messages.push_back(message);
    messages.back().id = next_message_id++;
    message.to_windows = true;
  }
  message.id = next_message_id++;
  messages.push_back(std::move(message));
  return messages;
}

// False: the output is full.
bool AgentCore::Impl::hand_over(std::vector<Message> messages, InFlight entry) {
  const auto shared = std::make_shared<InFlight>(std::move(entry));
  shared->id = messages.front().id;
  shared->left = messages.size();
  bool taken = true;
  for (auto& message : messages) taken = hand_over(std::move(message), shared) && taken;
  return taken;
}

bool AgentCore::Impl::hand_over(Message message, const std::shared_ptr<InFlight>& entry) {
  const auto id = message.id;
  const auto bytes = message.payload.size();
  const auto sent = held.empty() ? output.send(message) : fail(Code::kFull, "others wait before it");
  if (!sent && sent.error().code == Code::kFull) {
    held.push_back({std::move(message), entry});
    return false;
  }
  if (entry->kind == InFlight::Kind::kLines) totals.wire_bytes += bytes;
  in_flight.emplace(id, entry);
  if (entry->kind == InFlight::Kind::kHeartbeat) ++heartbeats_in_flight;
  if (!sent) settled(id, &sent.error());
  return true;
}

BatchHeader AgentCore::Impl::header_of(const SourceId& id, std::uint64_t origin, const std::string& path,
                                       const std::string& input) const {
  BatchHeader header;
  header.source = id;
  header.origin = origin;
  header.agent_id = config.id;
  header.instance = registry->instance();
  header.host = host;
  header.input = input;
  header.path = path;
  header.sent_ms = clock.wall_ms();
  return header;
}

std::uint64_t AgentCore::Impl::batch_limit(const Source& source) const {
  if (ships != Ship::kWindows || !source.cuts_known) {
    const auto most = source.batch_limit_bytes > 0 ? source.batch_limit_bytes : config.ship.batch_max_bytes;
    return source.rotated ? backlog.turn_bytes(most) : most;
  }
  const auto grid = config.ship.windows_batch_max;
  const auto limit = grid - source.reader.offset() % grid;
  return source.batch_limit_bytes > 0 ? std::min(source.batch_limit_bytes, limit) : limit;
}

// More lines may join those that wait, so that batches get full.
bool AgentCore::Impl::gathers(const Source& source) const {
  const auto unsent =
      source.facts.size_bytes > source.reader.offset() ? source.facts.size_bytes - source.reader.offset() : 0;
  const bool windows = ships == Ship::kWindows && source.cuts_known;
  // Something of it is in flight: a busy file makes full batches. Windows wait in any case.
  if (!windows && source.sent.idle()) return false;
  const auto enough = windows ? batch_limit(source) : config.ship.batch_max_bytes;
  const auto interval = windows ? config.ship.windows_interval : config.ship.flush_interval;
  const bool full = source.content->compressed() || unsent >= enough;
  return !full && now() - source.dirty_since_ms < interval.count();
}

bool AgentCore::Impl::ship(const std::shared_ptr<Source>& source) {
  ++changes;
  if (source->sent.failed()) {
    if (!source->sent.idle() || (now() < source->retry_at_ms && !stopping)) return false;
    source->reader.rewind(source->sent.acknowledged_offset(), source->sent.acknowledged_tail());
    source->sent.rewound();
  }
  if (now() < source->retry_at_ms && !stopping) return false;
  if (ships != Ship::kRecords) {
    if (!source->cuts_known && source->reader.offset() >= source->records_until) {
      // From here on no batch may be cut: none that may is in flight before it.
      if (!source->sent.idle()) return false;
      source->cuts_known = true;
    }
    if (source->cuts_known && source->sent.in_flight() >= kMaxCutsInFlight && !stopping) return false;
  }
  // What it kept from being read is still to be read, be the file's size what it was.
  if (!std::exchange(source->trouble, {}).empty()) source->dirty = true;
  if (!look_at_size(source)) return false;
  if (!source->trouble.empty()) {
    source->dirty = false;  // looked at again with the next scan
    return false;
  }
  const auto begin = source->reader.offset();
  const bool uncut = ships != Ship::kRecords && source->cuts_known;
  const auto cut = uncut ? source->sent.next_cut(begin) : 0;
  if (cut == 0 && !stopping && gathers(*source)) return false;
  const auto tail_before = source->reader.tail_hash();
  const bool by_first_line = needs_first_line(*source);
  Contents contents;
  contents.records = !uncut || ships == Ship::kBoth;
  contents.windows = uncut;
  contents.max_message_bytes = config.output.kafka.max_message_bytes;
  contents.fold.window_s = config.ship.window.count();
  if (const auto site = source->input->fields.find("site"); site != source->input->fields.end())
    contents.site_field = site->second;
  batch->begin(*source->parser, contents);
  // What was cut once is cut there again, or in between when the topic takes no larger one.
  auto limit = batch_limit(*source);
  if (cut > 0) limit = source->batch_limit_bytes > 0 ? std::min(limit, cut - begin) : cut - begin;
  const auto filled = source->reader.fill(*batch, limit, *source->parser);
  if (by_first_line && batch->content_bytes() > 0 && !source->content->compressed()) {
    // Looked at after the read, as the reader does it further on.
    const auto same = begins_as_before(*source);
    if (!same || !*same) {
      source->reader.rewind(begin, tail_before);
      if (same) {
        leave(source);
      } else {
        unreadable(*source, same.error());
      }
      return false;
    }
  }
  if (source->reader.rewritten()) {
    leave(source);
    // Lines that were read before it was noticed are what they were.
    if (batch->content_bytes() == 0) return false;
  }
  if (filled) {
    source->unreadable_since_ms = 0;
  } else {
    unreadable(*source, filled.error());
  }
  if (!filled || source->reader.at_end()) source->dirty = false;
  if (source->reader.at_end() && source->content->compressed()) {
    if (!source->content->complete())
      source->trouble = source->path + ": ends in the middle: it is still being written, or was cut short";
    source->content->rest();
  }
  if (source->dirty) source->dirty_since_ms = now();
  if (batch->content_bytes() == 0) return false;
  if (source->partition < 0 || source->partition >= partitions)
    source->partition = static_cast<std::int32_t>(source->id.low % static_cast<std::uint64_t>(partitions));
  auto header = header_of(source->id, source->origin, source->path, source->input->name);
  header.range = {begin, source->reader.offset()};
  header.fields.assign(source->input->fields.begin(), source->input->fields.end());
  InFlight entry{.kind = InFlight::Kind::kLines,
                 .source = source,
                 .loss = {},
                 .content_bytes = header.range.size(),
                 .counts = batch->counts(),
                 .last_event_ms = batch->last_time_ms(),
                 .error = {}};
  const auto range = header.range;
  auto messages = messages_of(*source, std::move(header));
  if (!messages) {
    // Cannot happen with a range of our own making; never go on past lines that were not sent.
    unreadable(*source, messages.error());
    source->reader.rewind(begin, tail_before);
    return false;
  }
  if (batch->crowded()) {
    ++totals.crowded_batches;
    source->crowded_ms = last_crowded_ms = now();
  }
  in_flight_bytes += entry.content_bytes;
  source->sent.sent(messages->front().id, range, source->reader.tail_hash());
  if (uncut || !source->sent_before) {
    // From now on it may be counted, and must be known again, whatever happens. Afterwards the registry
    // may lag, but for cuts: what it knows of it is enough to tell it from all others.
    if (uncut) source->sent.cut_at(range.end);
    remember(*source);
    // Without the registry its content alone would not tell it from its look-alike; or the registry would
    // tell later where windows must be cut, and not that records were sent.
    const bool look_alike = source->id != source->base;
    const bool cuts = uncut || source->had_cuts;
    stage({std::move(*messages), std::move(entry), begin, tail_before, cuts || look_alike},
          cuts ? Registry::Keep::kThroughPowerCuts : Registry::Keep::kUsually);
    return (staged.size() >= kMaxStaged || staged_bytes >= kMaxStagedBytes) && send_staged();
  }
  note_read(entry);
  return hand_over(std::move(*messages), std::move(entry));
}

// The lines of the batch for each topic.
Result<std::vector<Message>> AgentCore::Impl::messages_of(const Source& source, BatchHeader header) {
  Message message;
  message.key = source.id.bytes();
  message.partition = source.partition;
  message.split_lines = codec != Codec::kBatch;
  std::vector<Message> messages;
  const auto add = [&](Result<std::string> payload) -> Result<void> {
    if (!payload) return std::unexpected(payload.error());
    messages.push_back(message);
    messages.back().id = next_message_id++;
    messages.back().payload = std::move(*payload);
    return {};
  };
  const bool uncut = ships != Ship::kRecords && source.cuts_known;
  if (!uncut || ships == Ship::kBoth) {
    if (auto added = add(batch->finish(header)); !added) return std::unexpected(added.error());
  }
  message.to_windows = ships == Ship::kBoth;
  if (uncut) {
    header.kind = BatchKind::kWindows;
    if (auto added = add(batch->finish_windows(header)); !added) return std::unexpected(added.error());
  } else if (ships == Ship::kBoth) {
    if (auto added = add(messages.front().payload); !added) return std::unexpected(added.error());
  }
  return messages;
}

void AgentCore::Impl::note_read(const InFlight& entry) {
  totals.read_lines += entry.counts.lines;
  totals.read_bytes += entry.content_bytes;
  totals.unparsed_lines += entry.counts.unparsed;
  totals.filtered_lines += entry.counts.filtered;
  totals.truncated_lines += entry.counts.truncated;
}

void AgentCore::Impl::stage(Staged waiting, Registry::Keep keep) {
  if (keep == Registry::Keep::kThroughPowerCuts) staged_keep = keep;
  for (const auto& message : waiting.messages) staged_bytes += message.payload.size();
  staged.push_back(std::move(waiting));
}

// One write of the registry, which may wait for the disk, for all of them. True: the output took some.
bool AgentCore::Impl::send_staged() {
  auto batches = std::exchange(staged, {});
  staged_bytes = 0;
  write_registry(std::exchange(staged_keep, Registry::Keep::kUsually));
  bool taken = false;
  std::vector<const Staged*> not_sent;
  for (auto& one : batches) {
    if (!registry_problem.empty() && one.waits) {
      not_sent.push_back(&one);
      continue;
    }
    one.entry.source->sent_before = true;
    note_read(one.entry);
    taken |= hand_over(std::move(one.messages), std::move(one.entry));
  }
  // Nobody would know after a crash what was sent: it is read again once the registry can be written. Of two
  // of a source the later one first.
  for (auto at = not_sent.rbegin(); at != not_sent.rend(); ++at) {
    const auto& [messages, entry, begin, tail_before, waits] = **at;
    const auto source = entry.source;
    in_flight_bytes -= entry.content_bytes;
    source->sent.take_back();
    source->reader.rewind(begin, tail_before);
    const bool cuts = source->had_cuts || source->cuts_known;
    source->trouble = source->path + (cuts ? ": " : ": begins like another file, and ") +
                      "waits until the registry can be written";
    source->retry_at_ms = now() + kSendAgainMs;
    mark(source);
  }
  return taken;
}

// One at a time and in their order; they are few. False: the output is full.
bool AgentCore::Impl::ship_losses() {
  if (codec != Codec::kBatch) {
    // Other codecs have no words for it: it was said and counted.
    while (!registry->losses().empty()) registry->remove_loss(Loss(registry->losses().front()));
    return true;
  }
  if (losses_in_flight > 0 || registry->losses().empty() || now() < loss_again_ms) return true;
  const auto loss = registry->losses().front();
  auto header = header_of(loss.source, loss.origin, loss.path, loss.input);
  header.kind = BatchKind::kLoss;
  header.range = loss.range;
  header.loss_cause = loss.cause;
  auto payload = encode_loss(header);
  if (!payload) {
    registry->remove_loss(loss);
    return true;
  }
  const auto partition =
      loss.partition >= 0 && loss.partition < partitions
          ? loss.partition
          : static_cast<std::int32_t>(loss.source.low % static_cast<std::uint64_t>(partitions));
  ++losses_in_flight;
  return hand_over(
      for_each_topic({.key = loss.source.bytes(), .partition = partition, .payload = std::move(*payload)}),
      {.kind = InFlight::Kind::kLoss, .source = nullptr, .loss = loss, .counts = {}, .error = {}});
}

// Live files before rotated ones, but for the share that the operator gives these.
AgentCore::Impl::Lane AgentCore::Impl::next_lane(const Turns& turns) {
  const auto messages = in_flight.size() + staged.size();
  if (in_flight_bytes >= config.ship.max_in_flight || messages >= kMaxInFlightMessages) return Lane::kNone;
  // Live files that have nothing now find room when they have: what they get next must not wait until
  // rotated files' bytes are acknowledged.
  const bool room = turns.contended() || (in_flight_bytes < config.ship.max_in_flight / 4 * 3 &&
                                          messages < kMaxInFlightMessages / 4 * 3);
  // At the end there are only those that failed.
  const bool may = stopping || (room && backlog.may_read(turns.contended(), now()));
  if (turns.rotated > 0 && may) return Lane::kRotated;
  // The share is not used up: the next round begins with it.
  if (turns.rotated_has_more && turns.contended() && may) return Lane::kNone;
  return turns.live > 0 ? Lane::kLive : Lane::kNone;
}

// Plain and compressed rotated files in turn, while there are both.
std::deque<std::shared_ptr<Source>>& AgentCore::Impl::queue_of(Lane lane) {
  if (lane == Lane::kLive) return live;
  if (packed.empty() || rotated.empty()) return packed.empty() ? rotated : packed;
  packed_next = !packed_next;
  return packed_next ? packed : rotated;
}

// True: the output took something.
bool AgentCore::Impl::take_turn(Lane lane, Turns& turns) {
  auto& waiting = queue_of(lane);
  auto& left = lane == Lane::kLive ? turns.live : turns.rotated;
  const bool contended = turns.contended();
  --left;
  const auto source = waiting.front();
  waiting.pop_front();
  source->queued = false;
  const auto at = sources.find({source->facts.device, source->facts.inode});
  if (at == sources.end() || at->second != source) return false;
  if (stopping && !source->sent.failed()) return false;
  const auto before_bytes = in_flight_bytes;
  const bool shipped = ship(source);
  const auto read_bytes = in_flight_bytes - std::min(in_flight_bytes, before_bytes);
  const bool has_more = read_bytes > 0 && source->dirty;
  if (lane == Lane::kRotated) {
    backlog.backlog_read(read_bytes, contended);
    turns.rotated_has_more = turns.rotated_has_more || has_more;
  } else {
    if (!rotated.empty() || !packed.empty()) backlog.live_read(read_bytes);
    turns.live_has_more = turns.live_has_more || has_more;
  }
  if (&waiting == &packed && has_more && !std::exchange(source->queued, true)) {
    packed.push_front(source);
  } else if (source->dirty || source->sent.failed()) {
    enqueue(source);  // also what only gathers, or waits until a failed batch's fellows have settled
  }
  return shipped;
}

// One turn for each source that has something; true when there is more to do at once.
bool AgentCore::Impl::pump() {
  // Without a descriptor that tells, what was just taken is settled by the next poll().
  const bool tells = output.readable_fd() >= 0;
  const auto waited = held.size();
  for (auto again = std::exchange(held, {}); !again.empty(); again.pop_front())
    hand_over(std::move(again.front().message), again.front().entry);
  if (!held.empty()) return held.size() < waited && !tells;
  partitions = output.partition_count();
  if (partitions <= 0) return false;
  if (!ship_losses()) return false;
  bool shipped = waited > 0;
  Turns turns{live.size(), rotated.size() + packed.size()};
  while (held.empty()) {
    const auto lane = next_lane(turns);
    if (lane == Lane::kNone) break;
    shipped |= take_turn(lane, turns);
  }
  if (!staged.empty()) shipped |= send_staged();
  return shipped && (held.empty() || !tells);
}

void AgentCore::Impl::settled(std::uint64_t id, const Error* error) {
  const auto found = in_flight.find(id);
  if (found == in_flight.end()) return;
  const auto shared = std::move(found->second);
  in_flight.erase(found);
  if (shared->kind == InFlight::Kind::kHeartbeat) {
    --heartbeats_in_flight;
    return;
  }
  ++changes;
  // Of two errors the one that says what to do about it.
  if (error != nullptr && (!shared->error || error->code == Code::kInvalid)) shared->error = *error;
  if (error != nullptr && error->code != Code::kInvalid) failed_ms = now();
  if (--shared->left > 0) return;
  const auto& entry = *shared;
  if (entry.kind == InFlight::Kind::kLoss) {
    --losses_in_flight;
    if (!entry.error) {
      registry->remove_loss(entry.loss);
    } else {
      loss_again_ms = now() + kLossAgainMs;
    }
    return;
  }
  if (entry.kind == InFlight::Kind::kClaim) entry.source->claiming = false;
  if (entry.kind == InFlight::Kind::kClaim && !entry.error) {
    auto& rested = *entry.source;
    if (rested.claimed_offset != entry.content_bytes) rested.first_claimed_ms = now();
    rested.claimed_offset = entry.content_bytes;
    rested.claimed_ms = now();
  }
  if (entry.kind != InFlight::Kind::kLines) return;
  auto& source = *entry.source;
  in_flight_bytes -= entry.content_bytes;
  source.sent.settled(entry.id, !entry.error);
  if (entry.error) {
    source.retry_at_ms = now() + kSendAgainMs;
    // Larger than the topic takes: smaller ones, until a single line is too large.
    if (entry.error->code == Code::kInvalid)
      source.batch_limit_bytes =
          std::max<std::uint64_t>(1, std::min(batch_limit(source), entry.content_bytes) / 2);
    mark(entry.source);
    return;
  }
  totals.shipped_lines += entry.counts.lines;
  totals.shipped_bytes += entry.content_bytes;
  ++totals.shipped_batches;
  source.last_event_ms = std::max(source.last_event_ms, entry.last_event_ms);
  source.last_acknowledged_ms = clock.wall_ms();
  source.registry_dirty = true;
  if (!source.present && source.quiet_since_ms != 0) source.quiet_since_ms = now();
}

void AgentCore::Impl::remember(Source& source) {
  source.registry_dirty = false;
  if (options.position_of) return;
  RegistryEntry entry;
  if (const auto* known = registry->find(source.id)) entry = *known;
  entry.id = source.id;
  entry.base = source.base;
  entry.line_hash = source.line_hash;
  entry.path = source.path;
  entry.input = source.input->name;
  entry.device = source.facts.device;
  entry.inode = source.facts.inode;
  entry.birth_ns = source.facts.birth_ns;
  entry.partition = source.partition;
  entry.origin = source.origin;
  entry.size_bytes = source.size();
  entry.last_acknowledged_ms = source.last_acknowledged_ms;
  entry.seen_ms = clock.wall_ms();
  entry.state = source.state();
  entry.acknowledged_offset = source.sent.acknowledged_offset();
  entry.tail_hash = source.sent.acknowledged_tail();
  if (source.reader.offset() >= entry.sent_offset) {
    entry.sent_offset = source.reader.offset();
    entry.sent_tail_hash = source.reader.tail_hash();
  }
  if (entry.tail_hash.empty() && entry.acknowledged_offset == source.reader.offset())
    entry.tail_hash = source.reader.tail_hash();
  entry.cuts_known = ships != Ship::kRecords && source.cuts_known;
  entry.cuts = entry.cuts_known ? source.sent.cuts() : std::vector<std::uint64_t>();
  registry->put(entry);
}

void AgentCore::Impl::flush_registry() {
  last_flush_ms = now();
  if (flushed_changes != changes) {
    for (auto& [key, source] : sources) {
      if (source->registry_dirty) remember(*source);
    }
    for (auto& source : leaving) {
      if (source->registry_dirty) remember(*source);
    }
    flushed_changes = changes;
  }
  write_registry();
}

void AgentCore::Impl::write_registry(Registry::Keep keep) {
  const auto flushed = registry->flush(keep);
  auto problem_now = flushed ? std::string() : sentence(flushed.error());
  if (problem_now == registry_problem) return;
  registry_problem = std::move(problem_now);
  ++changes;
}

bool AgentCore::Impl::claimed(const Source& source) const {
  if (codec != Codec::kBatch || partitions <= 0 || !source.sent.idle()) return true;
  const auto end = source.sent.acknowledged_offset();
  if (source.origin >= end) return true;
  const bool long_enough =
      config.output.kafka.acks == "all" || source.claimed_ms - source.first_claimed_ms >= kClaimBelowAllMs;
  const bool late_enough = !failed_ms || source.claimed_ms - *failed_ms >= kClaimAfterFailureMs;
  return source.claimed_offset == end && long_enough && late_enough;
}

// What was acknowledged and never arrived (acks below all, a topic that forgets) shows when what
// comes next lies behind it. Where nothing comes next, this does: it goes the way of the batches.
void AgentCore::Impl::claim(const std::shared_ptr<Source>& source) {
  const auto end = source->sent.acknowledged_offset();
  const auto pause = claimed(*source) ? kClaimAgainMs : kClaimPauseMs;
  if (!held.empty() || (source->claimed_offset == end && now() - source->claimed_ms < pause)) return;
  // One at a time: while the broker is away they would pile up with each heartbeat.
  if (source->claiming || !source->sent.idle() || source->origin >= end) return;
  if (source->partition < 0 || source->partition >= partitions) return;
  auto header = header_of(source->id, source->origin, source->path, source->input->name);
  header.kind = BatchKind::kLoss;
  header.range = {source->origin, end};
  auto payload = encode_loss(header);
  if (!payload) return;
  source->claiming = true;
  hand_over(for_each_topic(
                {.key = source->id.bytes(), .partition = source->partition, .payload = std::move(*payload)}),
            {.kind = InFlight::Kind::kClaim,
             .source = source,
             .loss = {},
             .content_bytes = end,
             .counts = {},
             .error = {}});
}

void AgentCore::Impl::heartbeat() {
  last_heartbeat_ms = now();
  if (codec != Codec::kBatch || partitions <= 0 || !held.empty()) return;
  for (const auto& [key, source] : sources) claim(source);
  if (!held.empty()) return;
  BatchHeader header;
  header.kind = BatchKind::kHeartbeat;
  header.agent_id = config.id;
  header.instance = registry->instance();
  header.host = host;
  header.sent_ms = header.watermark_ms = clock.wall_ms();
  for (const auto& [key, source] : sources) {
    if (source->drained()) continue;
    header.watermark_ms =
        std::min(header.watermark_ms, source->last_event_ms == kNoTime ? 0 : source->last_event_ms);
    header.lag_bytes += source->size() - std::min(source->size(), source->sent.acknowledged_offset());
  }
  auto payload = encode_heartbeat(header);
  if (!payload) return;
  const auto id = make_source_id(config.id, "heartbeat", "");
  Message message{.key = config.id,
                  .partition = static_cast<std::int32_t>(id.low % static_cast<std::uint64_t>(partitions)),
                  .payload = std::move(*payload)};
  hand_over(for_each_topic(std::move(message)), InFlight{});
}

}  // namespace weir
