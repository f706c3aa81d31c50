// Detects two hosts that use the same agent id, as cloned machines do.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "proto/batch.h"

namespace weir {

class AgentConflicts {
 public:
  void note(const BatchHeader& header, std::int64_t now_ms);
  // One sentence per conflict. A conflict is forgotten 10 minutes after its last sign.
  [[nodiscard]] std::vector<std::string> sentences(std::int64_t now_ms) const;

 private:
  struct Claim {
    std::uint64_t instance = 0;
    std::string host;
    std::int64_t seen_ms = 0;
  };
  std::unordered_map<std::string, std::vector<Claim>>
      agents_;  // at most two claims each: enough to name a conflict
};

}  // namespace weir
