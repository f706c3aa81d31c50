// Updates the registry: how far each source is acknowledged, what is lost, and what is forgotten.
#include <fmt/format.h>

#include <algorithm>

#include "agent/core_impl.h"

namespace weir {
namespace {

// Above this number, the oldest entries that are not followed are forgotten.
constexpr std::size_t kMaxRegistryEntries = 200'000;

}  // namespace

void AgentCore::Impl::lose(const Source& source, ByteRange range, LossCause cause) {
  totals.lost_bytes += range.size();
  say(LogLevel::kError, fmt::format("{}: {} bytes from {} on are lost: {}", source.path, range.size(),
                                    range.begin, to_string(cause)));
  registry->add_loss({.source = source.id,
                      .range = range,
                      .cause = cause,
                      .origin = source.origin,
                      .partition = source.partition,
                      .path = source.path,
                      .input = source.input->name,
                      .noticed_ms = clock.wall_ms()});
}

// Records sources whose unread bytes are gone because the file is gone or was truncated.
void AgentCore::Impl::note_vanished() {
  if (!all_known || options.position_of) return;
  std::vector<RegistryEntry> lost;
  std::vector<RegistryEntry> truncated;
  for (const auto& [id, entry] : registry->entries()) {
    const bool here = sources.in_memory(id);
    const auto same_file = sources.of_file(SourceTable::FileKey{entry.device, entry.inode});
    if (same_file && !here && entry.state.state != FileState::kTruncated && entry.acknowledged_offset > 0 &&
        same_file->facts.birth_ns == entry.birth_ns)
      truncated.push_back(entry);
    if (entry.acknowledged_offset >= entry.size_bytes || here) {
      vanished_at_ms.erase(id);
      continue;
    }
    const bool ours = std::any_of(config.inputs.begin(), config.inputs.end(),
                                  [&](const auto& input) { return input.name == entry.input; });
    if (!ours) continue;
    const auto since_ms = vanished_at_ms.try_emplace(id, now()).first->second;
    if (now() - since_ms >= config.tail.missing_after.count()) lost.push_back(entry);
  }
  for (auto& entry : truncated) note_truncated(std::move(entry));
  for (auto& entry : lost) note_lost(std::move(entry));
}

// Lines written after the bytes on record, if there were any, were never seen.
void AgentCore::Impl::note_truncated(RegistryEntry entry) {
  say(LogLevel::kError,
      fmt::format("{}: was truncated while no agent was looking; lines that were written after byte {} and "
                  "before the truncation are lost, unless a copy has them",
                  entry.path, entry.acknowledged_offset));
  ++totals.unseen_truncations;
  entry.state = {FileState::kTruncated, {}};
  registry->put(entry);
}

void AgentCore::Impl::note_lost(RegistryEntry entry) {
  const ByteRange unread{entry.acknowledged_offset, entry.size_bytes};
  totals.lost_bytes += unread.size();
  registry->add_loss({.source = entry.id,
                      .range = unread,
                      .cause = LossCause::kDeletedUnread,
                      .origin = entry.origin,
                      .partition = entry.partition,
                      .path = entry.path,
                      .input = entry.input,
                      .noticed_ms = clock.wall_ms()});
  say(LogLevel::kError,
      fmt::format("{}: was deleted or truncated with {} bytes unread; they are lost, unless the file "
                  "comes back",
                  entry.path, unread.size()));
  vanished_at_ms.erase(entry.id);
  entry.size_bytes = entry.acknowledged_offset;
  entry.state = {FileState::kLost, {}};
  registry->put(entry);
}

void AgentCore::Impl::forget_old() {
  const auto before_ms = clock.wall_ms() - config.tail.forget_after.count();
  std::vector<std::pair<std::int64_t, SourceId>> old;
  const bool too_many = registry->entries().size() > kMaxRegistryEntries;
  for (const auto& [id, entry] : registry->entries()) {
    if (!sources.in_memory(id) && !vanished_at_ms.contains(id) && (too_many || entry.seen_ms < before_ms))
      old.emplace_back(entry.seen_ms, id);
  }
  std::sort(old.begin(), old.end());
  for (const auto& [seen_ms, id] : old) {
    if (seen_ms < before_ms || registry->entries().size() > kMaxRegistryEntries) registry->forget(id);
  }
}

void AgentCore::Impl::remember(Source& source) {
  sources.saved(source);
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
  entry.state = source.condition();
  entry.routes = offsets_ahead(source);
  entry.acknowledged_offset = source.sent.acknowledged_offset();
  entry.tail_hash = source.sent.acknowledged_tail();
  if (source.reader.offset() >= entry.sent_offset) {
    entry.sent_offset = source.reader.offset();
    entry.sent_tail_hash = source.reader.tail_hash();
  }
  if (entry.tail_hash.empty() && entry.acknowledged_offset == source.reader.offset())
    entry.tail_hash = source.reader.tail_hash();
  entry.cuts_known = some_keep_ranges() && source.cuts_known;
  entry.cuts.clear();
  for (std::size_t route = 0; route < routes.size() && entry.cuts_known; ++route) {
    if (traits_of(routes[route].codec).keeps_ranges) entry.cuts = source.sent.of(route).cuts();
  }
  registry->put(entry);
}

std::vector<RouteOffset> AgentCore::Impl::offsets_ahead(const Source& source) const {
  std::vector<RouteOffset> out;
  for (std::size_t route = 0; route < routes.size(); ++route) {
    const auto offset = source.sent.of(route).acknowledged_offset();
    if (offset > source.sent.acknowledged_offset())
      out.push_back({std::string(to_string(routes[route].codec)), offset});
  }
  return out;
}

std::uint64_t AgentCore::Impl::acknowledged_by(const RegistryEntry& entry, std::size_t route) const {
  return offset_of(entry.routes, to_string(routes[route].codec), entry.acknowledged_offset);
}

void AgentCore::Impl::flush_registry() {
  last_flush_ms = now();
  const auto touched = sources.touched();
  for (const auto& source : touched) remember(*source);
  flushed_changes = changes;
  write_registry();
}

void AgentCore::Impl::write_registry(Registry::Keep keep) {
  const auto flushed = registry->flush(keep);
  if (troubles.set_registry(flushed ? std::string() : sentence(flushed.error()))) ++changes;
}

}  // namespace weir
