#include "aggregator/warn/leadership.h"

#include <string>

namespace weir {
namespace {

const AlertState* find_lease(const std::vector<AlertState>& states) {
  for (const AlertState& state : states) {
    if (is_lease(state)) return &state;
  }
  return nullptr;
}

}  // namespace

AlertState Leadership::row(std::int64_t until_s) const {
  return {"", "", std::string(kLeaseState), until_s, static_cast<double>(owner_)};
}

Leadership::Step Leadership::step(const std::vector<AlertState>& states, std::int64_t now_s) {
  const AlertState* lease = find_lease(states);
  const bool ours = lease != nullptr && lease->value == static_cast<double>(owner_);
  const bool held = lease != nullptr && lease->since_s > now_s;
  if (held && !ours) return {};
  Step out;
  out.write = row(now_s + lease_s_);
  out.lead = held && ours;  // a claim, or a lease that ran out, is read back first
  return out;
}

std::optional<AlertState> Leadership::release(const std::vector<AlertState>& states) const {
  const AlertState* lease = find_lease(states);
  if (lease == nullptr || lease->value != static_cast<double>(owner_)) return std::nullopt;
  return row(0);
}

}  // namespace weir
