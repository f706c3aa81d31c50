// Handles changes of followed sources: growth, truncation, rotation, deletion and giving up.
#include <fmt/format.h>

#include <algorithm>

#include "agent/core_impl.h"

namespace weir {
namespace {

// A writer that does not know of a rotation still appends to the old file. So a file whose name no other file
// has taken is kept open this long.
constexpr std::int64_t kKeepWithoutSuccessorMs = 3'600'000;

}  // namespace

void AgentCore::Impl::wake(const std::shared_ptr<Source>& source) {
  ++changes;
  if (!source->unread) {
    source->unread = true;
    source->unread_since_ms = now();
  }
  lanes.enqueue(source);
}

void AgentCore::Impl::touch(const std::shared_ptr<Source>& source) {
  ++changes;
  sources.touch(source);
}

void AgentCore::Impl::leave(const std::shared_ptr<Source>& source) {
  ++changes;
  remember(*source);
  sources.leave(source);
  scan_wanted = true;
}

// A copy may take over. Whether bytes are lost is known, and logged, later.
void AgentCore::Impl::truncated(const std::shared_ptr<Source>& source) {
  say(LogLevel::kInfo, fmt::format("{}: truncated or overwritten after {} bytes of it were read",
                                   source->path, source->reader.offset()));
  leave(source);
}

// Whether the file still has the bytes that were read from it. Errors: those of Content::read.
Result<bool> AgentCore::Impl::has_same_bytes(Source& source, const FileFacts& facts, Proof proof) const {
  if (!source.content->compressed() && facts.size_bytes < source.reader.position()) return false;
  const bool changed =
      facts.size_bytes != source.facts.size_bytes || facts.modified_ms != source.facts.modified_ms;
  if (!changed && proof != Proof::kAlways) return true;
  // The file has grown, or it was truncated and has since grown past the offset.
  auto same = source.reader.still_there();
  if (!same || !*same || !needs_first_line(source)) return same;
  return begins_as_before(source);
}

// Checks the current size and content. A file that shrank has new content: data read from the old content is
// in flight, and the rest is gone unless a copy has it. False: the source has moved to leaving.
bool AgentCore::Impl::check_size(const std::shared_ptr<Source>& source, Proof proof) {
  const auto facts = source->content->facts();
  if (!facts) {
    unreadable(*source, facts.error());
    return true;
  }
  const auto same = has_same_bytes(*source, *facts, proof);
  if (!same) {
    unreadable(*source, same.error());
    return true;
  }
  if (!*same) {
    truncated(source);
    return false;
  }
  const bool grew = source->content->compressed() ? facts->size_bytes != source->facts.size_bytes
                                                  : facts->size_bytes > source->reader.position();
  if (facts->links != source->facts.links || facts->size_bytes != source->facts.size_bytes) ++changes;
  source->facts = *facts;
  if (grew) wake(source);
  return true;
}

void AgentCore::Impl::unreadable(Source& source, const Error& error) {
  ++changes;
  source.trouble = {Trouble::Kind::kUnreadable, "unreadable: " + error.what};
  if (source.unreadable_since_ms == 0) source.unreadable_since_ms = now();
}

Result<bool> AgentCore::Impl::begins_as_before(const Source& source) const {
  if (source.line_hash.empty()) return true;
  const auto first = first_line_of(config.id, {source.path, *source.content, source.facts});
  if (!first) return std::unexpected(first.error());
  return first->line_hash == source.line_hash;
}

void AgentCore::Impl::note_present_and_watched() {
  all_present = all_watched = true;
  for (const auto& [key, source] : sources.followed()) {
    all_present = all_present && source->present;
    all_watched = all_watched && is_watched(*source);
  }
}

void AgentCore::Impl::poll_sizes() {
  last_poll_ms = now();
  // Nothing to check: watches report growth, and a source with unread bytes waits in a lane until the end.
  if (all_watched && lanes.empty()) return;
  for (auto at = sources.followed().begin(); at != sources.followed().end();) {
    const auto source = (at++)->second;
    if (!is_watched(*source) || source->unread) check_size(source);
  }
}

void AgentCore::Impl::close_finished() {
  if (all_present) return;
  std::vector<std::shared_ptr<Source>> finished;
  for (const auto& [key, source] : sources.followed()) {
    if (source->present || !source->drained() || source->quiet_since_ms == 0) continue;
    if (!source->trouble.none()) continue;
    const auto quiet_ms = now() - source->quiet_since_ms;
    if (quiet_ms <= config.tail.close_rotated.count()) continue;
    const bool replaced =
        source->facts.links == 0 || source->content->compressed() || sources.has_successor(*source);
    if ((replaced || quiet_ms > kKeepWithoutSuccessorMs) && claimed(*source)) finished.push_back(source);
  }
  for (const auto& source : finished) {
    if (!check_size(source) || !source->drained()) continue;
    say(LogLevel::kInfo,
        fmt::format("{}: finished, all {} bytes are shipped", source->path, source->reader.offset()));
    remember(*source);
    sources.drop(source);
    ++changes;
  }
}

// Runs after a full scan: no file has taken over from the sources that are still leaving.
void AgentCore::Impl::settle_leaving() {
  ++changes;
  const auto leaving = sources.leaving();
  for (const auto& source : leaving) {
    if (source->reader.offset() < source->size() && !source->content->compressed()) {
      lose_unread(*source, LossCause::kTruncatedUnread);
      remember(*source);
    }
  }
  for (const auto& source : leaving) {
    if (!source->sent.idle()) continue;
    if (source->sent.failed() && source->sent.acknowledged_offset() < source->reader.offset()) {
      // Data in flight failed and cannot be read again.
      lose(*source, {source->sent.acknowledged_offset(), source->reader.offset()},
           LossCause::kTruncatedUnread);
    }
    remember(*source);
    sources.drop(source);
  }
}

void AgentCore::Impl::lose_unread(Source& source, LossCause cause) {
  const auto offset = source.reader.offset();
  if (offset < source.size()) lose(source, {offset, source.size()}, cause);
  source.facts.size_bytes = offset;
  source.reader.rewind(offset, source.reader.tail_hash());
}

// Its unread bytes are lost. Data in flight may still be acknowledged.
void AgentCore::Impl::give_up(const std::shared_ptr<Source>& source, LossCause cause) {
  lose_unread(*source, cause);
  leave(source);
  source->content->give_up(source->path);
}

// Gives up files that have no name and whose descriptor returns errors. While a file has a name it can be
// reopened; without one its bytes are unreachable.
void AgentCore::Impl::give_up_unreadable() {
  std::vector<std::shared_ptr<Source>> lost;
  for (const auto& [key, source] : sources.followed()) {
    if (source->unreadable_since_ms == 0 || source->present) continue;
    if (now() - source->unreadable_since_ms < config.tail.missing_after.count()) continue;
    const auto facts = source->content->facts();
    if (facts && facts->links > 0) continue;
    std::string probe;
    if (source->content->read(source->reader.position(), 1, probe)) {
      source->unreadable_since_ms = 0;  // the error has passed
      continue;
    }
    if (facts) source->facts = *facts;
    lost.push_back(source);
  }
  for (const auto& source : lost) give_up(source, LossCause::kUnreadable);
}

// Deleted files occupy disk space while they are open. The operator may prefer to lose them.
void AgentCore::Impl::release_under_pressure() {
  if (!config.tail.release_under_pressure) return;
  std::vector<std::shared_ptr<Source>> deleted;
  for (const auto& [key, source] : sources.followed()) {
    if (source->facts.links == 0 && !source->unreadable()) deleted.push_back(source);
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

}  // namespace weir
