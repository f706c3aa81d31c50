// How far each route has a source. Pure.
//
// All routes get the bytes of one reader. One that failed is sent its ranges again while others are ahead of
// it: a batch then ends where the next of these begins, so that no range lies on both sides.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/follow/sent_ranges.h"

namespace weir {

class RouteRanges {
 public:
  // `routes`: at least one.
  explicit RouteRanges(std::vector<SentRanges> routes);
  [[nodiscard]] SentRanges& of(std::size_t route) { return routes_[route]; }
  [[nodiscard]] const SentRanges& of(std::size_t route) const { return routes_[route]; }
  [[nodiscard]] std::size_t size() const { return routes_.size(); }

  // By all routes: reading begins there again after a failure.
  [[nodiscard]] std::uint64_t acknowledged_offset() const;
  [[nodiscard]] const std::string& acknowledged_tail() const;
  [[nodiscard]] bool idle() const;              // nothing is in flight on any route
  [[nodiscard]] bool failed() const;            // on one of them at least
  [[nodiscard]] std::size_t in_flight() const;  // ranges, of the route that has most
  // Reading begins again at acknowledged_offset(). Routes that did not fail stay where they are.
  void rewound();

  // A route that has [.., offset) and no more, sent or acknowledged, wants what is read there.
  [[nodiscard]] bool wants(std::size_t route, std::uint64_t end) const {
    return routes_[route].position() < end;
  }
  // Where a batch that begins at `offset` ends at the latest: where the next route begins. 0: anywhere.
  [[nodiscard]] std::uint64_t next_begin(std::uint64_t offset) const;

  // Invariants of each; `offset`: the reader's.
  void check(std::uint64_t offset) const;

 private:
  std::vector<SentRanges> routes_;
};

}  // namespace weir
