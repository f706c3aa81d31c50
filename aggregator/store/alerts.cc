#include "aggregator/store/alerts.h"

namespace weir {

std::string_view to_string(AlertPhase phase) {
  switch (phase) {
    case AlertPhase::kOk:
      return "ok";
    case AlertPhase::kPending:
      return "pending";
    case AlertPhase::kFiring:
      return "firing";
  }
  return "ok";
}

std::optional<AlertPhase> alert_phase_of(std::string_view text) {
  for (const auto phase : {AlertPhase::kOk, AlertPhase::kPending, AlertPhase::kFiring}) {
    if (text == to_string(phase)) return phase;
  }
  return std::nullopt;
}

}  // namespace weir
