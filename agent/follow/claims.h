// Tells the consumer of the batches what it should have received by now (docs/decisions/0010).
//
// If data was acknowledged but never arrived, the next batch reveals the gap. If no batch follows, a claim
// does: a message stating that everything up to an offset was sent. Only Claims writes Source::claim. Pure:
// times are arguments, from a monotonic clock.
#pragma once

#include <cstdint>
#include <optional>

#include "agent/follow/source.h"

namespace weir {

class Claims {
 public:
  // `acks_all`: a message is acknowledged once all in-sync replicas have it.
  explicit Claims(bool acks_all) : acks_all_(acks_all) {}

  // Call it when the output has finally failed to deliver a message.
  void output_failed(std::int64_t now_ms) { failed_ms_ = now_ms; }
  // Whether nothing of the source needs to be claimed any more. The file may then be closed.
  [[nodiscard]] bool settled(const Source& source) const;
  // Whether it is time to claim the source (again).
  [[nodiscard]] bool due(const Source& source, std::int64_t now_ms) const;
  void sent(Source& source) const;
  // `offset`: the claimed offset.
  void answered(Source& source, std::uint64_t offset, bool acknowledged, std::int64_t now_ms) const;

  // Checks the invariant that only acknowledged data is claimed.
  void check(const Source& source) const;

 private:
  bool acks_all_;
  std::optional<std::int64_t> failed_ms_;
};

}  // namespace weir
