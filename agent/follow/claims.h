// What the reader of the batches was told to have received by now (docs/decisions/0010).
//
// What was acknowledged and never arrived shows when what comes next lies behind it. Where nothing comes
// next, a claim does: a message that says that everything up to an offset was sent. It alone writes
// Source::claim. Pure: times are arguments, of a clock that never goes back.
#pragma once

#include <cstdint>
#include <optional>

#include "agent/follow/source.h"

namespace weir {

class Claims {
 public:
  // `acks_all`: a message is acknowledged once all replicas that count have it.
  explicit Claims(bool acks_all) : acks_all_(acks_all) {}

  // The output did not take a message for good.
  void output_failed(std::int64_t now_ms) { failed_ms_ = now_ms; }
  // Nothing needs to be claimed of it any more: the file may be closed.
  [[nodiscard]] bool settled(const Source& source) const;
  // Time to claim it (again).
  [[nodiscard]] bool due(const Source& source, std::int64_t now_ms) const;
  void sent(Source& source) const;
  // `offset`: what was claimed.
  void answered(Source& source, std::uint64_t offset, bool acknowledged, std::int64_t now_ms) const;

  // Invariant: nothing is claimed that was not acknowledged.
  void check(const Source& source) const;

 private:
  bool acks_all_;
  std::optional<std::int64_t> failed_ms_;
};

}  // namespace weir
