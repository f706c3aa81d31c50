// Reading and shipping: one turn of a source, from its file to the output, and the results that come back.
#include <algorithm>
#include <optional>
#include <type_traits>

#include "agent/core_impl.h"

namespace weir {
namespace {

constexpr std::int64_t kLossAgainMs = 1000;
constexpr std::int64_t kSendAgainMs = 500;  // after a failure
// The most ranges in flight of one source that is shipped as windows. The registry keeps the end of each.
constexpr std::size_t kMaxCutsInFlight = 16;
// Small batches of ten thousand files would otherwise all sit in the output at once, each with its overhead.
constexpr std::size_t kMaxInFlightMessages = 1000;

// The partition for a source that has none yet, the same one every time.
std::int32_t partition_of(const SourceId& id, std::int32_t partitions) {
  return static_cast<std::int32_t>(id.low % static_cast<std::uint64_t>(partitions));
}

}  // namespace

// ---- Turns

Lanes::Load AgentCore::Impl::load() const {
  return {.bytes = flight.bytes(),
          .max_bytes = flight.max_bytes(),
          .messages = flight.messages(),
          .max_messages = kMaxInFlightMessages,
          .stopping = stopping,
          .now_ms = now()};
}

// Gives one turn to each source that has data. True: there is more to do at once.
bool AgentCore::Impl::pump() {
  // Without a descriptor that becomes readable, the next poll() settles what the output just took.
  const bool tells = output.readable_fd() >= 0;
  const auto held = flight.held();
  if (!flight.send_held()) return flight.held() < held && !tells;
  partitions = output.partition_count(0);
  for (std::size_t route = 1; route < routes.size(); ++route)
    partitions = std::min(partitions, output.partition_count(route));
  if (partitions <= 0) return false;
  if (!ship_losses()) return false;
  bool shipped = held > 0;
  lanes.begin_round();
  while (flight.held() == 0) {
    const auto turn = lanes.next(load());
    if (!turn) break;
    shipped |= take_turn(*turn);
  }
  if (flight.has_staged()) shipped |= send_staged();
  return shipped && (flight.held() == 0 || !tells);
}

// True: the output took something.
bool AgentCore::Impl::take_turn(const Lanes::Turn& turn) {
  const auto& source = turn.source;
  if (!sources.follows(source)) return false;
  if (stopping && !source->sent.failed()) return false;
  const auto before_bytes = flight.bytes();
  const bool shipped = ship(source);
  const auto read_bytes = flight.bytes() - std::min(flight.bytes(), before_bytes);
  lanes.finish(turn, {.read_bytes = read_bytes,
                      .has_more = read_bytes > 0 && source->unread,
                      // This includes sources that are still gathering lines, or that wait until the other
                      // batches in flight are settled after a failure.
                      .waits = source->unread || source->sent.failed()});
  return shipped;
}

bool AgentCore::Impl::some_keep_ranges() const {
  return std::any_of(routes.begin(), routes.end(),
                     [](const auto& route) { return traits_of(route.codec).keeps_ranges; });
}

bool AgentCore::Impl::all_keep_ranges() const {
  return std::all_of(routes.begin(), routes.end(),
                     [](const auto& route) { return traits_of(route.codec).keeps_ranges; });
}

bool AgentCore::Impl::counts_bytes() const {
  return std::any_of(routes.begin(), routes.end(),
                     [](const auto& route) { return traits_of(route.codec).wants_claims; });
}

Codec AgentCore::Impl::codec_of(std::size_t route, const Source& source) const {
  const auto codec = routes[route].codec;
  return traits_of(codec).keeps_ranges && !source.cuts_known ? Codec::kBatch : codec;
}

std::uint64_t AgentCore::Impl::batch_limit(const Source& source) const {
  if (!all_keep_ranges() || !source.cuts_known) {
    const auto most = source.batch_limit_bytes > 0 ? source.batch_limit_bytes : config.ship.batch_max_bytes;
    return lanes.turn_bytes(source, most);
  }
  const auto grid = config.ship.windows_batch_max;
  const auto limit = grid - source.reader.offset() % grid;
  return source.batch_limit_bytes > 0 ? std::min(source.batch_limit_bytes, limit) : limit;
}

// Whether to wait for more lines, so that batches get full.
bool AgentCore::Impl::gathers(const Source& source) const {
  const auto unsent =
      source.facts.size_bytes > source.reader.offset() ? source.facts.size_bytes - source.reader.offset() : 0;
  const bool windows = all_keep_ranges() && source.cuts_known;
  // A busy file, which has data in flight, waits for full batches. Windows wait in any case.
  if (!windows && source.sent.idle()) return false;
  const auto enough = windows ? batch_limit(source) : config.ship.batch_max_bytes;
  const auto interval = windows ? config.ship.windows_interval : config.ship.flush_interval;
  const bool full = source.content->compressed() || unsent >= enough;
  return !full && now() - source.unread_since_ms < interval.count();
}

// ---- A turn: check, read, send

// True: the output took something.
bool AgentCore::Impl::ship(const std::shared_ptr<Source>& source) {
  ++changes;
  if (!may_ship(source)) return false;
  auto read = read_batch(source);
  return read && send_batch(source, std::move(*read));
}

bool AgentCore::Impl::may_ship(const std::shared_ptr<Source>& source) {
  if (source->sent.failed()) {
    if (!source->sent.idle() || (now() < source->retry_at_ms && !stopping)) return false;
    source->reader.rewind(source->sent.acknowledged_offset(), source->sent.acknowledged_tail());
    source->sent.rewound();
  }
  if (now() < source->retry_at_ms && !stopping) return false;
  if (some_keep_ranges()) {
    if (!source->cuts_known && source->reader.offset() >= source->records_until) {
      // From here on no batch may be split. So no batch that may be split may still be in flight.
      if (!source->sent.idle()) return false;
      source->cuts_known = true;
    }
    if (source->cuts_known && source->sent.in_flight() >= kMaxCutsInFlight && !stopping) return false;
  }
  // The trouble held reading up: read on now even if the file has not grown.
  if (!std::exchange(source->trouble, {}).none()) source->unread = true;
  if (!check_size(source)) return false;
  if (source->trouble.none()) return true;
  source->unread = false;  // checked again at the next scan
  return false;
}

// Fills `batch`. nullopt: there is nothing to send now.
std::optional<AgentCore::Impl::Read> AgentCore::Impl::read_batch(const std::shared_ptr<Source>& source) {
  Read read{.begin = source->reader.offset(), .tail_before = source->reader.tail_hash(), .takers = {}};
  const auto begin = read.begin;
  const auto cut = next_cut(*source, begin);
  const auto next_begin = source->sent.next_begin(begin);
  if (cut == 0 && next_begin == 0 && !stopping && gathers(*source)) return std::nullopt;
  // A range that was sent before ends at the same place again, or earlier if the topic refuses batches of
  // that size.
  auto limit = batch_limit(*source);
  if (cut > 0) {
    limit = source->batch_limit_bytes > 0 ? std::min(limit, cut - begin) : cut - begin;
  } else if (next_begin > 0) {
    limit = std::min(limit, next_begin - begin);
  }
  choose_takers(*source, begin + limit, read);
  const bool by_first_line = needs_first_line(*source);
  begin_batch(*source, read);
  const auto filled = source->reader.fill(batch, limit, *source->parser);
  if (by_first_line && batch.content_bytes() > 0 && !source->content->compressed() &&
      !is_still_the_file(source, read))
    return std::nullopt;
  if (source->reader.rewritten()) {
    truncated(source);
    // Lines read before we noticed are still valid.
    if (batch.content_bytes() == 0) return std::nullopt;
  }
  if (filled) {
    source->unreadable_since_ms = 0;
  } else {
    unreadable(*source, filled.error());
  }
  note_end(*source, filled.has_value());
  if (batch.content_bytes() == 0) return std::nullopt;
  return read;
}

std::uint64_t AgentCore::Impl::next_cut(const Source& source, std::uint64_t offset) const {
  for (std::size_t route = 0; route < routes.size(); ++route) {
    const auto& ranges = source.sent.of(route);
    if (!traits_of(codec_of(route, source)).keeps_ranges || ranges.position() > offset) continue;
    if (const auto cut = ranges.next_cut(offset); cut > 0) return cut;
  }
  return 0;
}

void AgentCore::Impl::choose_takers(const Source& source, std::uint64_t end, Read& read) const {
  for (std::size_t route = 0; route < routes.size(); ++route) {
    if (!source.sent.wants(route, end)) continue;
    read.takers.push_back(route);
    read.uncut = read.uncut || traits_of(codec_of(route, source)).keeps_ranges;
  }
}

void AgentCore::Impl::begin_batch(const Source& source, const Read& read) {
  std::vector<Codec> codecs;
  for (const auto route : read.takers) {
    const auto codec = codec_of(route, source);
    if (std::find(codecs.begin(), codecs.end(), codec) == codecs.end()) codecs.push_back(codec);
  }
  EncoderOptions encoding;
  encoding.max_message_bytes = config.output.kafka.max_message_bytes;
  encoding.fold.window_s = config.ship.window.count();
  if (const auto site = source.input->fields.find("site"); site != source.input->fields.end())
    encoding.site_field = site->second;
  batch.begin(*source.parser, codecs, encoding);
}

// Compares the first line. This comes after the read, just as the reader checks later bytes after it reads.
bool AgentCore::Impl::is_still_the_file(const std::shared_ptr<Source>& source, const Read& read) {
  const auto same = begins_as_before(*source);
  if (same && *same) return true;
  source->reader.rewind(read.begin, read.tail_before);
  if (same) {
    truncated(source);
  } else {
    unreadable(*source, same.error());
  }
  return false;
}

// Handles the end of the file, if it was reached.
void AgentCore::Impl::note_end(Source& source, bool filled) {
  if (!filled || source.reader.at_end()) source.unread = false;
  if (source.reader.at_end() && source.content->compressed()) {
    if (!source.content->complete())
      source.trouble = {Trouble::Kind::kIncomplete,
                        source.path + ": ends in the middle: it is still being written, or was cut short"};
    source.content->rest();
  }
  if (source.unread) source.unread_since_ms = now();
}

void AgentCore::Impl::pin_partition(Source& source) const {
  if (source.partition < 0 || source.partition >= partitions)
    source.partition = partition_of(source.id, partitions);
}

bool AgentCore::Impl::send_batch(const std::shared_ptr<Source>& source, Read read) {
  pin_partition(*source);
  source->sent.passed(source->reader.offset(), source->reader.tail_hash());
  auto header = header_of(source->id, source->origin, source->path, source->input->name);
  header.range = {read.begin, source->reader.offset()};
  header.fields.assign(source->input->fields.begin(), source->input->fields.end());
  SentLines lines{source, header.range, batch.counts(), batch.last_time_ms()};
  auto messages = messages_of(*source, read, std::move(header));
  if (!messages) {
    // This cannot happen with a range that we made ourselves, but lines that were not sent must never be
    // skipped.
    unreadable(*source, messages.error());
    source->reader.rewind(read.begin, std::move(read.tail_before));
    return false;
  }
  if (batch.crowded()) {
    ++totals.crowded_batches;
    source->crowded_ms = last_crowded_ms = now();
  }
  for (const auto& message : *messages) {
    auto& ranges = source->sent.of(message.route);
    ranges.sent(message.id, {ranges.position(), lines.range.end}, source->reader.tail_hash());
    if (traits_of(codec_of(message.route, *source)).keeps_ranges) ranges.cut_at(lines.range.end);
  }
  if (!read.uncut && source->sent_before) {
    note_read(lines);
    return flight.send(std::move(*messages), std::move(lines));
  }
  // From now on its data may be counted, so the source must be recognised again after any failure. Later the
  // registry may lag, except for cuts: its entry then suffices to distinguish the source from all others.
  remember(*source);
  // These batches need the registry. A look-alike cannot be distinguished by its content alone. If a source
  // is or was shipped as windows, a stale entry would have the wrong cuts or not show that records were sent.
  const bool look_alike = source->id != source->base;
  const bool cuts = read.uncut || source->had_cuts;
  if (cuts) staged_keep = Registry::Keep::kThroughPowerCuts;
  flight.stage({std::move(*messages), std::move(lines), std::move(read.tail_before), cuts || look_alike});
  return flight.staged_full() && send_staged();
}

// Makes the batch's messages, one for each route that takes it.
Result<std::vector<Message>> AgentCore::Impl::messages_of(const Source& source, const Read& read,
                                                          BatchHeader header) {
  std::vector<Message> messages;
  for (const auto route : read.takers) {
    if (!source.sent.wants(route, header.range.end)) continue;
    const auto codec = codec_of(route, source);
    header.kind = codec == Codec::kWindows ? BatchKind::kWindows : BatchKind::kRecords;
    const auto same = std::find_if(messages.begin(), messages.end(), [&](const auto& message) {
      return codec_of(message.route, source) == codec;
    });
    auto payload = same != messages.end() ? Result<std::string>(same->payload) : batch.finish(codec, header);
    if (!payload) return std::unexpected(payload.error());
    messages.push_back({.id = flight.next_id(),
                        .route = route,
                        .key = source.id.bytes(),
                        .partition = source.partition,
                        .payload = std::move(*payload),
                        .split_lines = traits_of(codec).splits_lines});
  }
  return messages;
}

void AgentCore::Impl::note_read(const SentLines& lines) {
  totals.read_lines += lines.counts.lines;
  totals.read_bytes += lines.range.size();
  totals.unparsed_lines += lines.counts.unparsed;
  totals.filtered_lines += lines.counts.filtered;
  totals.truncated_lines += lines.counts.truncated;
}

// Writes the registry once for everything that is staged, which may wait for the disk, then sends it. True:
// the output took some.
bool AgentCore::Impl::send_staged() {
  auto batches = flight.take_staged();
  write_registry(std::exchange(staged_keep, Registry::Keep::kUsually));
  bool taken = false;
  std::vector<const Flight::Staged*> not_sent;
  for (auto& one : batches) {
    if (!troubles.registry().empty() && one.needs_registry) {
      not_sent.push_back(&one);
      continue;
    }
    one.lines.source->sent_before = true;
    note_read(one.lines);
    taken |= flight.send(std::move(one));
  }
  // Newest first, per source.
  for (auto at = not_sent.rbegin(); at != not_sent.rend(); ++at) unsend(**at);
  return taken;
}

// If the batch were sent but not recorded, it would be unknown after a crash. So it is read again once the
// registry can be written.
void AgentCore::Impl::unsend(const Flight::Staged& staged) {
  const auto& source = staged.lines.source;
  flight.abandon(staged);
  for (const auto& message : staged.messages) source->sent.of(message.route).unsend();
  source->reader.rewind(staged.lines.range.begin, staged.tail_before);
  const bool cuts = source->had_cuts || source->cuts_known;
  source->trouble = {Trouble::Kind::kWaitsForRegistry,
                     source->path + (cuts ? ": " : ": begins like another file, and ") +
                         "waits until the registry can be written"};
  source->retry_at_ms = now() + kSendAgainMs;
  wake(source);
}

// ---- Losses, claims, heartbeats

std::vector<Message> AgentCore::Impl::for_each_route(const Message& message) {
  std::vector<Message> messages;
  for (std::size_t route = 0; route < routes.size(); ++route) {
    if (!traits_of(routes[route].codec).wants_claims) continue;
    messages.push_back(message);
    messages.back().id = flight.next_id();
    messages.back().route = route;
  }
  return messages;
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

// Sends losses one at a time and in order; there are few. False: the output is full.
bool AgentCore::Impl::ship_losses() {
  if (!counts_bytes()) {
    // No route can carry losses. They were logged and counted already.
    while (!registry->losses().empty()) registry->remove_loss(Loss(registry->losses().front()));
    return true;
  }
  if (flight.loss_in_flight() || registry->losses().empty() || now() < loss_again_ms) return true;
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
  const auto partition = loss.partition >= 0 && loss.partition < partitions
                             ? loss.partition
                             : partition_of(loss.source, partitions);
  return flight.send(
      for_each_route({.key = loss.source.bytes(), .partition = partition, .payload = std::move(*payload)}),
      SentLoss{loss});
}

bool AgentCore::Impl::claimed(const Source& source) const {
  return !counts_bytes() || partitions <= 0 || claims.settled(source);
}

void AgentCore::Impl::claim(const std::shared_ptr<Source>& source) {
  if (flight.held() > 0 || !claims.due(*source, now())) return;
  if (source->partition < 0 || source->partition >= partitions) return;
  auto header = header_of(source->id, source->origin, source->path, source->input->name);
  header.kind = BatchKind::kClaim;
  header.range = {source->origin, source->sent.acknowledged_offset()};
  auto payload = encode_claim(header);
  if (!payload) return;
  claims.sent(*source);
  flight.send(
      for_each_route(
          {.key = source->id.bytes(), .partition = source->partition, .payload = std::move(*payload)}),
      SentClaim{source, source->sent.acknowledged_offset()});
}

void AgentCore::Impl::heartbeat() {
  last_heartbeat_ms = now();
  if (!counts_bytes() || partitions <= 0 || flight.held() > 0) return;
  for (const auto& [key, source] : sources.followed()) claim(source);
  if (flight.held() > 0) return;
  BatchHeader header;
  header.kind = BatchKind::kHeartbeat;
  header.agent_id = config.id;
  header.instance = registry->instance();
  header.host = host;
  header.sent_ms = header.watermark_ms = clock.wall_ms();
  for (const auto& [key, source] : sources.followed()) {
    if (source->drained()) continue;
    header.watermark_ms =
        std::min(header.watermark_ms, source->last_event_ms == kNoTime ? 0 : source->last_event_ms);
    header.lag_bytes += source->size() - std::min(source->size(), source->sent.acknowledged_offset());
  }
  auto payload = encode_heartbeat(header);
  if (!payload) return;
  const auto id = make_source_id(config.id, "heartbeat", "");
  flight.send(
      for_each_route(
          {.key = config.id, .partition = partition_of(id, partitions), .payload = std::move(*payload)}),
      SentHeartbeat{});
}

// ---- Results

void AgentCore::Impl::settled(const Flight::Settled& done) {
  if (std::holds_alternative<SentHeartbeat>(done.what)) return;
  ++changes;
  if (done.error != nullptr && done.error->code != Code::kInvalid) claims.output_failed(now());
  if (const auto* lines = std::get_if<SentLines>(&done.what)) {
    lines_settled(*lines, done);
  } else if (const auto* loss = std::get_if<SentLoss>(&done.what); loss != nullptr && done.last) {
    loss_settled(loss->loss, !done.failed);
  } else if (const auto* claim = std::get_if<SentClaim>(&done.what); claim != nullptr && done.last) {
    claims.answered(*claim->source, claim->offset, !done.failed, now());
  }
}

void AgentCore::Impl::loss_settled(const Loss& loss, bool acknowledged) {
  if (acknowledged) {
    registry->remove_loss(loss);
  } else {
    loss_again_ms = now() + kLossAgainMs;
  }
}

void AgentCore::Impl::lines_settled(const SentLines& lines, const Flight::Settled& done) {
  auto& source = *lines.source;
  source.sent.of(done.route).settled(done.id, done.error == nullptr);
  if (done.error != nullptr) {
    source.retry_at_ms = now() + kSendAgainMs;
    // The batch is larger than the topic accepts. Send smaller ones, down to a single line.
    if (done.error->code == Code::kInvalid)
      source.batch_limit_bytes =
          std::max<std::uint64_t>(1, std::min(batch_limit(source), lines.range.size()) / 2);
    wake(lines.source);
    return;
  }
  touch(lines.source);
  if (!done.last || done.failed) return;
  totals.shipped_lines += lines.counts.lines;
  totals.shipped_bytes += lines.range.size();
  ++totals.shipped_batches;
  source.last_event_ms = std::max(source.last_event_ms, lines.last_event_ms);
  source.last_acknowledged_ms = clock.wall_ms();
  if (!source.present && source.quiet_since_ms != 0) source.quiet_since_ms = now();
}

}  // namespace weir
