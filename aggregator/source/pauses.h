// Which partitions librdkafka may be told to pause, and which to resume. Pure.
//
// It orders what it is told of a partition by numbers that are drawn before they are queued. A pause or a
// resume that comes while it starts the partition can overtake the start, which is then dropped as outdated:
// nothing is fetched until the next rebalance. And before 2.4, a resume of what is not paused takes the
// partition back to where its assignment, or its last pause, began: harmless in the same log, whose messages
// are known by their offsets, but in a topic that was created again these are other messages, which would be
// taken for counted ones. So a partition is paused once it has delivered, which only one that was started
// does, and resumed only if it was paused.
#pragma once

#include <map>
#include <vector>

#include "aggregator/source/source.h"

namespace weir {

class Pauses {
 public:
  [[nodiscard]] bool paused() const { return paused_; }
  // Each gives what librdkafka must be told of: to pause these, to resume these.
  [[nodiscard]] std::vector<PartitionKey> pause();
  [[nodiscard]] std::vector<PartitionKey> resume();
  // A message of it came. True: too early, it is to be paused now and the message is to come again.
  [[nodiscard]] bool delivered(const PartitionKey& partition);
  // It is given away, or starts anew elsewhere. True: it is to be resumed before.
  [[nodiscard]] bool leaves(const PartitionKey& partition);

 private:
  bool paused_ = false;
  std::map<PartitionKey, bool> running_;  // -> paused
};

}  // namespace weir
