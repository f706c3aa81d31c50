// Decides which partitions librdkafka may be told to pause, and which to resume. Pure.
//
// librdkafka orders the operations of a partition by numbers that it draws before it queues them. A pause or
// resume during the start of a partition can overtake the start, which is then dropped as outdated: nothing
// is fetched until the next rebalance. Before 2.4, resuming a partition that is not paused also moves it back
// to where its assignment, or its last pause, began. Within one log that is harmless, because messages are
// recognised by their offsets. But if the topic was deleted and created again, the same offsets hold other
// messages, which would be taken for counted ones. So a partition is paused only after it has delivered,
// which proves that it was started, and resumed only if it was paused.
#pragma once

#include <map>
#include <vector>

#include "aggregator/source/source.h"

namespace weir {

class Pauses {
 public:
  [[nodiscard]] bool paused() const { return paused_; }
  // The partitions that librdkafka must now pause, or resume.
  [[nodiscard]] std::vector<PartitionKey> pause();
  [[nodiscard]] std::vector<PartitionKey> resume();
  // A message of the partition arrived. True: pause it now; the message must be delivered again.
  [[nodiscard]] bool delivered(const PartitionKey& partition);
  // The partition is revoked, or starts again elsewhere. True: resume it first.
  [[nodiscard]] bool leaves(const PartitionKey& partition);

 private:
  bool paused_ = false;
  std::map<PartitionKey, bool> running_;  // -> whether it is paused
};

}  // namespace weir
