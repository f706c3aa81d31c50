#include "agent/follow/identity.h"

#include <fmt/format.h>

#include <algorithm>

#include "agent/follow/relation.h"
#include "agent/tail/proof.h"
#include "agent/tail/rotation.h"

namespace weir {
namespace {

// Whether the content has the bytes before the source's offset. Only then does the source continue there.
Result<bool> continues_at(Content& content, std::uint64_t offset, const std::string& expected_tail) {
  if (expected_tail.empty()) return true;
  const auto hash = tail_hash(content, offset);
  if (!hash) return std::unexpected(hash.error());
  return *hash == expected_tail;
}

// True if no byte of the source was sent, or an operator set its offset. Its name is then known, but none of
// its content.
bool nothing_proves(const RegistryEntry& entry) {
  return (entry.sent_offset == 0 || entry.sent_tail_hash.empty()) &&
         (entry.acknowledged_offset == 0 || entry.tail_hash.empty());
}

struct Known {
  const RegistryEntry* entry = nullptr;     // its bytes are here, or it is the same file
  const RegistryEntry* unproven = nullptr;  // nothing distinguishes it from its look-alikes
};

bool same_file(const RegistryEntry& entry, const FileFacts& facts) {
  return entry.device == facts.device && entry.inode == facts.inode &&
         (entry.birth_ns == 0 || entry.birth_ns == facts.birth_ns);
}

std::uint64_t known_until(const RegistryEntry& entry) {
  return std::max(entry.sent_offset, entry.acknowledged_offset);
}

// Finds the source that continues here, among those in the registry but not in memory. The same file comes
// before others, then the source that was read furthest.
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
    // Check at the end of the last range sent: everything before it may be counted.
    const bool further = entry->sent_offset > entry->acknowledged_offset && !entry->sent_tail_hash.empty();
    const auto proof = further ? continues_at(sighting.content, entry->sent_offset, entry->sent_tail_hash)
                               : continues_at(sighting.content, entry->acknowledged_offset, entry->tail_hash);
    if (!proof) return std::unexpected(proof.error());
    if (*proof) {
      known.entry = entry;
      break;
    }
  }
  return known;
}

// Identifies one file. The rules apply in order, and each may give the answer.
class Identification {
 public:
  Identification(const Sighting& sighting, const FirstLine& first, const Surroundings& around)
      : sighting_(sighting), first_(first), around_(around) {
    identity_.id = identity_.base = first.base;
    identity_.line_hash = first.line_hash;
  }

  [[nodiscard]] Result<Identity> run() {
    for (const auto rule :
         {&Identification::takes_over_from_a_truncated_one, &Identification::is_proven_by_the_registry,
          &Identification::is_a_look_alike_of_the_store, &Identification::relates_to_a_followed_one,
          &Identification::continues_one_without_proof}) {
      const auto done = (this->*rule)();
      if (!done) return std::unexpected(done.error());
      if (*done) return identity_;
    }
    begin_or_continue_what_the_store_counted();
    return identity_;
  }

 private:
  // A copy takes over from its truncated original.
  [[nodiscard]] Result<bool> takes_over_from_a_truncated_one() {
    for (const auto& source : around_.leaving) {
      if (source->reader.offset() == 0) {
        unread_ = source;
        continue;
      }
      const auto proof = continues_at(sighting_.content, source->reader.offset(), source->reader.tail_hash());
      if (!proof) return std::unexpected(proof.error());
      if (!*proof) continue;
      return moves(source);
    }
    return false;
  }

  [[nodiscard]] Result<bool> is_proven_by_the_registry() {
    auto known = known_entry(sighting_, first_, around_);
    if (!known) return std::unexpected(known.error());
    unproven_ = known->unproven;
    return known->entry != nullptr && resumes(*known->entry);
  }

  [[nodiscard]] Result<bool> is_a_look_alike_of_the_store() {
    if (!around_.position_of) return false;
    const auto position = around_.position_of(salted(0));
    return position && !around_.in_memory(salted(0)) && resumes_at(salted(0), *position);
  }

  [[nodiscard]] Result<bool> relates_to_a_followed_one() {
    for (const auto& other : around_.followed) {
      const auto relation =
          relation_to(sighting_.content, sighting_.facts, sighting_.path, *other->content, other->names);
      if (!relation) return std::unexpected(relation.error());
      if (*relation == Relation::kLookAlike) continue;
      if (*relation == Relation::kContinues) return moves(other);
      identity_.verdict = Verdict::kCopy;
      identity_.id = other->id;
      return true;
    }
    return false;
  }

  // Runs after the check for copies of followed files: a copy must not take another source's identity.
  [[nodiscard]] Result<bool> continues_one_without_proof() {
    if (unread_ != nullptr) return moves(unread_);
    return unproven_ != nullptr && resumes(*unproven_);
  }

  void begin_or_continue_what_the_store_counted() {
    identity_.verdict = Verdict::kNew;
    if (around_.position_of && !is_taken(first_.base)) {
      const auto position = around_.position_of(first_.base);
      // The store has counted more of that source than this file has, so it is a different source.
      const bool shorter =
          position && !sighting_.content.compressed() && *position > sighting_.facts.size_bytes;
      if (!shorter) {
        if (position) resumes_at(first_.base, *position);
        return;
      }
      identity_.id = salted(0);
    }
    for (int generation = 0; is_taken(identity_.id); ++generation) identity_.id = salted(generation);
  }

  bool moves(const std::shared_ptr<Source>& source) {
    identity_.verdict = Verdict::kMoves;
    identity_.id = source->id;
    identity_.source = source;
    return true;
  }
  bool resumes(const RegistryEntry& entry) {
    identity_.verdict = Verdict::kResumes;
    identity_.id = entry.id;
    identity_.entry = &entry;
    // + 2: the line may end in CRLF.
    identity_.by_first_line =
        !same_file(entry, sighting_.facts) && known_until(entry) <= first_.line.size() + 2;
    return true;
  }
  bool resumes_at(const SourceId& id, std::uint64_t position) {
    identity_.verdict = Verdict::kResumes;
    identity_.id = id;
    identity_.position = position;
    return true;
  }
  [[nodiscard]] bool is_taken(const SourceId& id) const {
    return around_.in_memory(id) || around_.registry.find(id) != nullptr;
  }
  // A look-alike's id also depends on the file. A reused inode gets another generation.
  [[nodiscard]] SourceId salted(int generation) const {
    const auto& facts = sighting_.facts;
    const auto salt = generation == 0 ? fmt::format("{}:{}", facts.device, facts.inode)
                                      : fmt::format("{}:{}:{}", facts.device, facts.inode, generation);
    return make_source_id(around_.agent_id, log_family(sighting_.path), first_.line, salt);
  }

  const Sighting& sighting_;
  const FirstLine& first_;
  const Surroundings& around_;
  Identity identity_;
  std::shared_ptr<Source> unread_;  // unread, so nothing distinguishes it from its look-alikes
  const RegistryEntry* unproven_ = nullptr;
};

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
  return Identification(sighting, first, around).run();
}

}  // namespace weir
