// What becomes of the sources that are followed: grown, truncated, rotated, deleted, given up.
#include <fmt/format.h>

#include <algorithm>

#include "agent/core_impl.h"
#include "agent/tail/rotation.h"

namespace weir {
namespace {

constexpr const char* kTruncatedState = "truncated";
// A writer that was not told of a rotation goes on in the old file; one whose name nobody has
// taken over is kept open this long.
constexpr std::int64_t kKeepWithoutSuccessorMs = 3'600'000;
// Beyond this the oldest of those that are not followed are forgotten.
constexpr std::size_t kMaxRegistryEntries = 200'000;

}  // namespace

void AgentCore::Impl::add(const std::shared_ptr<Source>& source) {
  sources[{source->facts.device, source->facts.inode}] = source;
  by_base.emplace(source->base, source);
  ++living[source->id];
  source->dirty = false;
  mark(source);
}

// Out of the tables of what is followed; `living` keeps its id until drop_living().
void AgentCore::Impl::remove(const std::shared_ptr<Source>& source) {
  ++changes;
  if (const auto at = sources.find({source->facts.device, source->facts.inode});
      at != sources.end() && at->second == source)
    sources.erase(at);
  unindex(source);
  std::erase_if(by_path, [&](const auto& entry) { return entry.second == source; });
}

void AgentCore::Impl::unindex(const std::shared_ptr<Source>& source) {
  const auto [begin, end] = by_base.equal_range(source->base);
  for (auto at = begin; at != end; ++at) {
    if (at->second == source) {
      by_base.erase(at);
      return;
    }
  }
}

void AgentCore::Impl::drop_living(const SourceId& id) {
  if (const auto at = living.find(id); at != living.end() && --at->second == 0) living.erase(at);
}

void AgentCore::Impl::leave(const std::shared_ptr<Source>& source) {
  remember(*source);
  remove(source);
  leaving.push_back(source);
  scan_wanted = true;
}

void AgentCore::Impl::mark(const std::shared_ptr<Source>& source) {
  ++changes;
  if (!source->dirty) {
    source->dirty = true;
    source->dirty_since_ms = now();
  }
  enqueue(source);
}

void AgentCore::Impl::enqueue(const std::shared_ptr<Source>& source) {
  if (std::exchange(source->queued, true)) return;
  auto& queue = !source->rotated ? live : source->content->compressed() ? packed : rotated;
  queue.push_back(source);
}

// Rotated: compressed, without its name, or no longer the newest of its family. All others are live, one
// that was renamed and has no successor yet, too: its writer goes on in it.
void AgentCore::Impl::sort_lanes() {
  std::unordered_map<std::string, const Source*> newest;
  for (const auto& [key, source] : sources) {
    if (!source->present || source->content->compressed()) continue;
    const auto [at, first] = newest.try_emplace(log_family(source->path), source.get());
    if (!first && older_generation(at->second->path, source->path)) at->second = source.get();
  }
  bool changed = false;
  for (const auto& [key, source] : sources) {
    const auto newer = newest.find(log_family(source->path));
    const bool now_rotated = source->content->compressed() || has_successor(*source) ||
                             (newer != newest.end() && newer->second != source.get());
    changed = changed || now_rotated != source->rotated;
    source->rotated = now_rotated;
  }
  if (!changed) return;
  auto waiting = std::exchange(live, {});
  for (auto* queue : {&rotated, &packed}) {
    waiting.insert(waiting.end(), queue->begin(), queue->end());
    queue->clear();
  }
  for (const auto& source : waiting) {
    source->queued = false;
    enqueue(source);
  }
}

// Another file has a name that it had.
bool AgentCore::Impl::has_successor(const Source& source) const {
  return std::any_of(source.names.begin(), source.names.end(), [&](const auto& name) {
    const auto at = by_path.find(name);
    return at != by_path.end() && at->second.get() != &source;
  });
}

// Its size now. A file that shrank has new content: what was read of the old one is in flight,
// the rest is gone unless a copy has it. False: it has left.
bool AgentCore::Impl::look_at_size(const std::shared_ptr<Source>& source, Proof proof) {
  const auto facts = source->content->facts();
  if (!facts) {
    unreadable(*source, facts.error());
    return true;
  }
  const bool compressed = source->content->compressed();
  bool same = compressed || facts->size_bytes >= source->reader.position();
  const bool changed =
      facts->size_bytes != source->facts.size_bytes || facts->modified_ms != source->facts.modified_ms;
  if (same && (changed || proof == Proof::kAlways)) {
    // Grown, or truncated and grown to the offset and past it since.
    const auto there = source->reader.still_there();
    if (!there) {
      unreadable(*source, there.error());
      return true;
    }
    same = *there;
    if (same && needs_first_line(*source)) {
      const auto first = begins_as_before(*source);
      if (!first) {
        unreadable(*source, first.error());
        return true;
      }
      same = *first;
    }
  }
  if (!same) {
    leave(source);
    return false;
  }
  const bool grew = compressed ? facts->size_bytes != source->facts.size_bytes
                               : facts->size_bytes > source->reader.position();
  if (facts->links != source->facts.links || facts->size_bytes != source->facts.size_bytes) ++changes;
  source->facts = *facts;
  if (grew) mark(source);
  return true;
}

void AgentCore::Impl::unreadable(Source& source, const Error& error) {
  ++changes;
  source.trouble = std::string(kUnreadable) + error.what;
  if (source.unreadable_since_ms == 0) source.unreadable_since_ms = now();
}

Result<bool> AgentCore::Impl::begins_as_before(const Source& source) const {
  if (source.line_hash.empty()) return true;
  const auto first = first_line_of(config.id, {source.path, *source.content, source.facts});
  if (!first) return std::unexpected(first.error());
  return first->line_hash == source.line_hash;
}

void AgentCore::Impl::note_present_and_told() {
  all_present = all_told = true;
  for (const auto& [key, source] : sources) {
    all_present = all_present && source->present;
    all_told = all_told && told(*source);
  }
}

void AgentCore::Impl::poll_sizes() {
  last_poll_ms = now();
  // What is dirty waits for its turn, or for the end.
  if (all_told && live.empty() && rotated.empty() && packed.empty()) return;
  for (auto at = sources.begin(); at != sources.end();) {
    const auto source = (at++)->second;
    if (!told(*source) || source->dirty) look_at_size(source);
  }
}

void AgentCore::Impl::close_finished() {
  if (all_present) return;
  std::vector<std::shared_ptr<Source>> finished;
  for (const auto& [key, source] : sources) {
    if (source->present || !source->drained() || source->quiet_since_ms == 0) continue;
    if (!source->trouble.empty()) continue;
    const auto quiet = now() - source->quiet_since_ms;
    if (quiet <= config.tail.close_rotated.count()) continue;
    const bool replaced = source->facts.links == 0 || source->content->compressed() || has_successor(*source);
    if ((replaced || quiet > kKeepWithoutSuccessorMs) && claimed(*source)) finished.push_back(source);
  }
  for (const auto& source : finished) {
    if (!look_at_size(source) || !source->drained()) continue;
    remember(*source);
    remove(source);
    drop_living(source->id);
  }
}

// After a look at all files: nothing has taken over from what is still here.
void AgentCore::Impl::settle_leaving() {
  ++changes;
  for (const auto& source : leaving) {
    const auto end = source->size();
    if (source->reader.offset() < end && source->content->compressed() == false) {
      lose(*source, {source->reader.offset(), end}, LossCause::kTruncatedUnread);
      source->facts.size_bytes = source->reader.offset();
      source->reader.rewind(source->reader.offset(), source->reader.tail_hash());
      remember(*source);
    }
  }
  std::erase_if(leaving, [&](const auto& source) {
    if (!source->sent.idle()) return false;
    if (source->sent.failed() && source->sent.acknowledged_offset() < source->reader.offset()) {
      // What was in flight failed and cannot be read again.
      lose(*source, {source->sent.acknowledged_offset(), source->reader.offset()},
           LossCause::kTruncatedUnread);
    }
    remember(*source);
    drop_living(source->id);
    return true;
  });
}

void AgentCore::Impl::lose(const Source& source, ByteRange range, LossCause cause) {
  totals.lost_bytes += range.size();
  if (options.say) {
    options.say(fmt::format("{}: {} bytes from {} on are lost: {}", source.path, range.size(), range.begin,
                            to_string(cause)));
  }
  registry->add_loss({.source = source.id,
                      .range = range,
                      .cause = cause,
                      .origin = source.origin,
                      .partition = source.partition,
                      .path = source.path,
                      .input = source.input->name,
                      .noticed_ms = clock.wall_ms()});
}

// What is unread of it is lost; what is in flight may still be acknowledged.
void AgentCore::Impl::give_up(const std::shared_ptr<Source>& source, LossCause cause) {
  const auto end = source->size();
  if (source->reader.offset() < end) lose(*source, {source->reader.offset(), end}, cause);
  source->facts.size_bytes = source->reader.offset();
  source->reader.rewind(source->reader.offset(), source->reader.tail_hash());
  leave(source);
  source->content->give_up(source->path);
}

// A descriptor that gives errors is opened anew while the file has a name. Without one nothing
// will ever give its bytes.
void AgentCore::Impl::give_up_unreadable() {
  std::vector<std::shared_ptr<Source>> lost;
  for (const auto& [key, source] : sources) {
    if (source->unreadable_since_ms == 0 || source->present) continue;
    if (now() - source->unreadable_since_ms < config.tail.missing_after.count()) continue;
    const auto facts = source->content->facts();
    if (facts && facts->links > 0) continue;
    std::string probe;
    if (source->content->read(source->reader.position(), 1, probe)) {
      source->unreadable_since_ms = 0;  // an error that has passed
      continue;
    }
    if (facts) source->facts = *facts;
    lost.push_back(source);
  }
  for (const auto& source : lost) give_up(source, LossCause::kUnreadable);
}

// Deleted files hold their disk space while they are open. The operator may rather lose them.
void AgentCore::Impl::release_under_pressure() {
  if (!config.tail.release_under_pressure) return;
  std::vector<std::shared_ptr<Source>> deleted;
  for (const auto& [key, source] : sources) {
    if (source->facts.links == 0 && !source->trouble.starts_with(kUnreadable)) deleted.push_back(source);
  }
  std::sort(deleted.begin(), deleted.end(), [](const auto& a, const auto& b) {
    return a->facts.modified_ms != b->facts.modified_ms ? a->facts.modified_ms < b->facts.modified_ms
                                                        : a->id < b->id;
  });
  for (const auto& source : deleted) {
    if (source->content->free_bytes() >= config.tail.min_free_bytes) continue;
    give_up(source, LossCause::kReleased);
  }
}

// What the registry knows to be unread, and no file has.
void AgentCore::Impl::note_missing() {
  if (!all_known || options.position_of) return;
  std::vector<RegistryEntry> lost;
  std::vector<RegistryEntry> truncated;
  for (const auto& [id, entry] : registry->entries()) {
    if (const auto same = sources.find({entry.device, entry.inode});
        same != sources.end() && !living.contains(id) && entry.state != kTruncatedState &&
        entry.acknowledged_offset > 0 && same->second->facts.birth_ns == entry.birth_ns)
      truncated.push_back(entry);
    if (entry.acknowledged_offset >= entry.size_bytes || living.contains(id)) {
      missing_since.erase(id);
      continue;
    }
    const bool ours = std::any_of(config.inputs.begin(), config.inputs.end(),
                                  [&](const auto& input) { return input.name == entry.input; });
    if (!ours) continue;
    const auto since = missing_since.try_emplace(id, now()).first->second;
    if (now() - since >= config.tail.missing_after.count()) lost.push_back(entry);
  }
  for (auto& entry : truncated) {
    // What came behind the known bytes, if anything did, was seen by nobody.
    if (options.say) {
      options.say(
          fmt::format("{}: was truncated while nobody looked; lines that were written behind byte {} and "
                      "before that are lost, unless a copy has them",
                      entry.path, entry.acknowledged_offset));
    }
    ++totals.unseen_truncations;
    entry.state = kTruncatedState;
    registry->put(entry);
  }
  for (auto& entry : lost) {
    totals.lost_bytes += entry.size_bytes - entry.acknowledged_offset;
    registry->add_loss({.source = entry.id,
                        .range = {entry.acknowledged_offset, entry.size_bytes},
                        .cause = LossCause::kDeletedUnread,
                        .origin = entry.origin,
                        .partition = entry.partition,
                        .path = entry.path,
                        .input = entry.input,
                        .noticed_ms = clock.wall_ms()});
    if (options.say) {
      options.say(
          fmt::format("{}: was deleted or truncated with {} bytes unread; they are lost, unless the file "
                      "comes back",
                      entry.path, entry.size_bytes - entry.acknowledged_offset));
    }
    missing_since.erase(entry.id);
    entry.size_bytes = entry.acknowledged_offset;
    entry.state = "lost";
    registry->put(entry);
  }
}

void AgentCore::Impl::forget_old() {
  const auto before = clock.wall_ms() - config.tail.forget_after.count();
  std::vector<std::pair<std::int64_t, SourceId>> old;
  const bool crowded = registry->entries().size() > kMaxRegistryEntries;
  for (const auto& [id, entry] : registry->entries()) {
    if (!living.contains(id) && !missing_since.contains(id) && (crowded || entry.seen_ms < before))
      old.emplace_back(entry.seen_ms, id);
  }
  std::sort(old.begin(), old.end());
  for (const auto& [seen_ms, id] : old) {
    if (seen_ms < before || registry->entries().size() > kMaxRegistryEntries) registry->forget(id);
  }
}

}  // namespace weir
