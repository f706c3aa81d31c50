#include "agent/follow/identity.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/follow/relation.h"
#include "agent/tail/proof.h"
#include "agent/tail/rotation.h"

namespace weir {
namespace {

// A source goes on in a content only where the bytes before its offset are there.
Result<bool> goes_on(Content& content, std::uint64_t offset, const std::string& expected_tail) {
  if (expected_tail.empty()) return true;
  const auto hash = tail_hash(content, offset);
  if (!hash) return std::unexpected(hash.error());
  return *hash == expected_tail;
}

// No byte of it was sent, or an operator has set its offset: it has a name, and no content.
bool nothing_proves(const RegistryEntry& entry) {
  return (entry.sent_offset == 0 || entry.sent_tail_hash.empty()) &&
         (entry.acknowledged_offset == 0 || entry.tail_hash.empty());
}

struct Known {
  const RegistryEntry* entry = nullptr;     // whose bytes are here, or who is this very file
  const RegistryEntry* unproven = nullptr;  // nothing tells it from its look-alikes
};

bool same_file(const RegistryEntry& entry, const FileFacts& facts) {
  return entry.device == facts.device && entry.inode == facts.inode &&
         (entry.birth_ns == 0 || entry.birth_ns == facts.birth_ns);
}

std::uint64_t known_until(const RegistryEntry& entry) {
  return std::max(entry.sent_offset, entry.acknowledged_offset);
}

// Of the registry's sources that are not in memory, the one that goes on here: the same file
// before others, then the one that was read furthest.
Result<Known> known_entry(const Sighting& sighting, const FirstLine& first, const Surroundings& around) {
  auto entries =
      around.registry.candidates(first.base, sighting.facts.device, sighting.facts.inode, first.line_hash);
  std::erase_if(entries, [&](const auto* entry) { return around.in_memory(entry->id); });
  const auto is_here = [&](const RegistryEntry* entry) { return same_file(*entry, sighting.facts); };
  std::sort(entries.begin(), entries.end(), [&](const auto* a, const auto* b) {
    if (is_here(a) != is_here(b)) return is_here(a);
    if (known_until(*a) != known_until(*b)) return known_until(*a) > known_until(*b);
    return a->id < b->id;
  });
  Known known;
  for (const auto* entry : entries) {
    if (nothing_proves(*entry) && !is_here(entry)) {
      if (known.unproven == nullptr && entry->base == first.base) known.unproven = entry;
      continue;
    }
    // At the furthest boundary that was sent: what lies before it may be counted.
    const bool further = entry->sent_offset > entry->acknowledged_offset && !entry->sent_tail_hash.empty();
    const auto proof = further ? goes_on(sighting.content, entry->sent_offset, entry->sent_tail_hash)
                               : goes_on(sighting.content, entry->acknowledged_offset, entry->tail_hash);
    if (!proof) return std::unexpected(proof.error());
    if (*proof) {
      known.entry = entry;
      break;
    }
  }
  return known;
}

}  // namespace

Result<FirstLine> first_line_of(const std::string& agent_id, const Sighting& sighting) {
  auto line = first_data_line(sighting.content);
  if (!line) return std::unexpected(line.error());
  FirstLine first;
  if (line->empty()) return first;
  first.base = make_source_id(agent_id, log_family(sighting.path), *line);
  first.line_hash = make_source_id("", "", *line).bytes();
  first.line = std::move(*line);
  return first;
}

Result<Identity> identify(const Sighting& sighting, const FirstLine& first, const Surroundings& around) {
  Identity identity;
  identity.id = identity.base = first.base;
  identity.line_hash = first.line_hash;

  // A copy takes over from its original, which was truncated.
  std::shared_ptr<Source> unread;  // nothing of it was read: nothing tells it from its look-alikes
  for (const auto& source : around.leaving) {
    if (source->reader.offset() == 0) {
      unread = source;
      continue;
    }
    const auto proof = goes_on(sighting.content, source->reader.offset(), source->reader.tail_hash());
    if (!proof) return std::unexpected(proof.error());
    if (!*proof) continue;
    identity.verdict = Verdict::kMoves;
    identity.id = source->id;
    identity.source = source;
    return identity;
  }

  const auto known = known_entry(sighting, first, around);
  if (!known) return std::unexpected(known.error());
  const auto resumes = [&](const RegistryEntry& entry) {
    identity.verdict = Verdict::kResumes;
    identity.id = entry.id;
    identity.entry = &entry;
    // Its end of line may be CRLF.
    identity.by_first_line = !same_file(entry, sighting.facts) && known_until(entry) <= first.line.size() + 2;
    return identity;
  };
  if (known->entry != nullptr) return resumes(*known->entry);

  // A look-alike's id: of the file, too. An inode that comes again makes another generation.
  const auto salted = [&](int generation) {
    const auto salt = generation == 0
                          ? fmt::format("{}:{}", sighting.facts.device, sighting.facts.inode)
                          : fmt::format("{}:{}:{}", sighting.facts.device, sighting.facts.inode, generation);
    return make_source_id(around.agent_id, log_family(sighting.path), first.line, salt);
  };
  if (around.position_of) {
    if (const auto position = around.position_of(salted(0)); position && !around.in_memory(salted(0))) {
      identity.verdict = Verdict::kResumes;
      identity.id = salted(0);
      identity.position = position;
      return identity;
    }
  }

  for (const auto& other : around.followed) {
    const auto relation =
        relation_to(sighting.content, sighting.facts, sighting.path, *other->content, other->names);
    if (!relation) return std::unexpected(relation.error());
    if (*relation == Relation::kLookAlike) continue;
    const bool taken_over = *relation == Relation::kContinues;
    identity.verdict = taken_over ? Verdict::kMoves : Verdict::kCopy;
    identity.id = other->id;
    if (taken_over) identity.source = other;
    return identity;
  }

  // After the copies of what is followed: a copy must not take the name of another.
  if (unread != nullptr) {
    identity.verdict = Verdict::kMoves;
    identity.id = unread->id;
    identity.source = unread;
    return identity;
  }
  if (known->unproven != nullptr) return resumes(*known->unproven);

  const auto taken = [&](const SourceId& id) {
    return around.in_memory(id) || around.registry.find(id) != nullptr;
  };
  identity.verdict = Verdict::kNew;
  if (around.position_of && !taken(first.base)) {
    const auto position = around.position_of(first.base);
    // The store has counted more of that source than this file has: it is another one.
    const bool shorter = position && !sighting.content.compressed() && *position > sighting.facts.size_bytes;
    if (position && !shorter) {
      identity.verdict = Verdict::kResumes;
      identity.position = position;
      return identity;
    }
    if (!shorter) return identity;
    identity.id = salted(0);
  }
  for (int generation = 0; taken(identity.id); ++generation) identity.id = salted(generation);
  return identity;
}

}  // namespace weir
