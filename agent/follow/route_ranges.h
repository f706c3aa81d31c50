// Tracks how far each route has sent a source. Pure.
//
// All routes get the bytes of one reader. A route that failed gets its ranges again while other routes are
// ahead. A batch then ends where the next of those routes continues, so that no route gets part of a range
// twice.
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

  // Acknowledged by all routes. Reading restarts here after a failure.
  [[nodiscard]] std::uint64_t acknowledged_offset() const;
  [[nodiscard]] const std::string& acknowledged_tail() const;
  [[nodiscard]] bool idle() const;              // nothing is in flight on any route
  [[nodiscard]] bool failed() const;            // on at least one route
  [[nodiscard]] std::size_t in_flight() const;  // ranges of the route with the most
  // Reading restarts at acknowledged_offset(). Routes that did not fail keep their position.
  void rewound();

  // Reading has passed `offset`; `tail_hash` is of the bytes before it. A route that was restored from the
  // registry as ahead of the others learns here which bytes lie before its position: after a failure, reading
  // may restart there, and must then prove that the file still has them.
  void passed(std::uint64_t offset, const std::string& tail_hash);

  // Whether the route still needs a range that ends at `end`, because it has not got that far.
  [[nodiscard]] bool wants(std::size_t route, std::uint64_t end) const {
    return routes_[route].position() < end;
  }
  // The latest end of a batch that begins at `offset`: the next position of a route. 0: no limit.
  [[nodiscard]] std::uint64_t next_begin(std::uint64_t offset) const;

  // Checks the invariants of each route. `offset` is the reader's.
  void check(std::uint64_t offset) const;

 private:
  std::vector<SentRanges> routes_;
};

}  // namespace weir
