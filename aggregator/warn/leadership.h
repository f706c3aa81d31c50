// Which of several aggregators warns. Pure. A lease is kept as a row among the alert
// states of the store (rule "", which no rule may have), so it needs no other service.
//
// The row is written without comparing, so two may claim at once; the later write wins,
// and nobody acts before it has read its own claim back one interval later.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "aggregator/store/store.h"

namespace weir {

inline constexpr std::string_view kLeaseState = "lease";
[[nodiscard]] inline bool is_lease(const AlertState& state) { return state.rule.empty(); }

class Leadership {
 public:
  // `owner`: a number of this process's own, below 2^31, not 0.
  Leadership(std::uint32_t owner, std::int64_t lease_s) : owner_(owner), lease_s_(lease_s) {}

  struct Step {
    bool lead = false;                // evaluate and save
    std::optional<AlertState> write;  // save this row, too
  };
  [[nodiscard]] Step step(const std::vector<AlertState>& states, std::int64_t now_s);
  // The row that gives the lease up; nullopt when it is not ours.
  [[nodiscard]] std::optional<AlertState> release(const std::vector<AlertState>& states) const;

 private:
  [[nodiscard]] AlertState row(std::int64_t until_s) const;
  std::uint32_t owner_;
  std::int64_t lease_s_;
};

}  // namespace weir
