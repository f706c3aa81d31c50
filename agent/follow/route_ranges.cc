#include "agent/follow/route_ranges.h"

#include <algorithm>
#include <utility>

#include "proto/must.h"

namespace weir {

RouteRanges::RouteRanges(std::vector<SentRanges> routes) : routes_(std::move(routes)) {
  MUST(!routes_.empty(), "a source is shipped by one route at least");
}

std::uint64_t RouteRanges::acknowledged_offset() const {
  auto offset = routes_.front().acknowledged_offset();
  for (const auto& route : routes_) offset = std::min(offset, route.acknowledged_offset());
  return offset;
}

// A route that reached this offset by reading knows the hash of the bytes before it. A route that started
// there may not.
const std::string& RouteRanges::acknowledged_tail() const {
  const auto offset = acknowledged_offset();
  const SentRanges* found = nullptr;
  for (const auto& route : routes_) {
    if (route.acknowledged_offset() != offset) continue;
    if (found == nullptr || found->acknowledged_tail().empty()) found = &route;
  }
  MUST(found != nullptr, "one of the routes is at the least offset");
  return found->acknowledged_tail();
}

bool RouteRanges::idle() const {
  return std::all_of(routes_.begin(), routes_.end(), [](const auto& route) { return route.idle(); });
}

bool RouteRanges::failed() const {
  return std::any_of(routes_.begin(), routes_.end(), [](const auto& route) { return route.failed(); });
}

std::size_t RouteRanges::in_flight() const {
  std::size_t most = 0;
  for (const auto& route : routes_) most = std::max(most, route.in_flight());
  return most;
}

void RouteRanges::rewound() {
  for (auto& route : routes_) route.rewound();
}

void RouteRanges::passed(std::uint64_t offset, const std::string& tail_hash) {
  for (auto& route : routes_) route.passed(offset, tail_hash);
}

std::uint64_t RouteRanges::next_begin(std::uint64_t offset) const {
  std::uint64_t next = 0;
  for (const auto& route : routes_) {
    const auto position = route.position();
    if (position > offset && (next == 0 || position < next)) next = position;
  }
  return next;
}

void RouteRanges::check(std::uint64_t offset) const {
  for (const auto& route : routes_) route.check(std::max(offset, route.position()));
  MUST(acknowledged_offset() <= offset, "acknowledged by all routes <= offset");
  // After a failure, the reader may be between the positions of the routes.
  MUST(failed() || std::any_of(routes_.begin(), routes_.end(),
                               [&](const auto& route) { return route.position() == offset; }),
       "reading stands where one of the routes does");
}

}  // namespace weir
