// Decides which source a file is: one that continues, a copy of one, or a new one. The rules are in
// docs/architecture.md, "The names of things". Nothing here keeps state.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/follow/source.h"
#include "agent/tail/registry.h"
#include "proto/result.h"

namespace weir {

struct Sighting {
  const std::string& path;
  Content& content;
  const FileFacts& facts;
};

enum class Verdict {
  kWait,     // no first line yet, or it changed during this scan
  kCopy,     // adds nothing to a source that is followed
  kNew,      // a source not seen before
  kResumes,  // a source that the registry (on a single box, the store) knows
  kMoves,    // a source in memory continues in this file
};

struct Identity {
  Verdict verdict = Verdict::kWait;
  SourceId id, base;
  std::string line_hash;
  const RegistryEntry* entry = nullptr;  // kResumes, unless the store knows the source
  // kResumes: the entry is about another file, and only the first line links it to this one. That file may
  // still exist elsewhere.
  bool by_first_line = false;
  std::optional<std::uint64_t> position;  // kResumes: where the store lets it begin
  std::shared_ptr<Source> source;         // kMoves
};

struct Surroundings {
  const std::string& agent_id;
  const Registry& registry;
  // Sources in memory that begin with the same line, followed or leaving.
  std::vector<std::shared_ptr<Source>> followed, leaving;
  std::function<bool(const SourceId&)> in_memory;
  // Asks the store on a single box; null elsewhere.
  const std::function<std::optional<std::uint64_t>(const SourceId&)>& position_of;
};

// The file's first line. Empty base: there is none yet.
struct FirstLine {
  SourceId base;
  std::string line, line_hash;
};
[[nodiscard]] Result<FirstLine> first_line_of(const std::string& agent_id, const Sighting& sighting);

// Errors: those of Content::read. The file is then not identified.
[[nodiscard]] Result<Identity> identify(const Sighting& sighting, const FirstLine& first,
                                        const Surroundings& around);

}  // namespace weir
