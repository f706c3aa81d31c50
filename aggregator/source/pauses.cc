#include "aggregator/source/pauses.h"

#include <utility>

namespace weir {

std::vector<PartitionKey> Pauses::pause() {
  paused_ = true;
  std::vector<PartitionKey> partitions;
  for (auto& [partition, paused] : running_) {
    if (!std::exchange(paused, true)) partitions.push_back(partition);
  }
  return partitions;
}

std::vector<PartitionKey> Pauses::resume() {
  paused_ = false;
  std::vector<PartitionKey> partitions;
  for (auto& [partition, paused] : running_) {
    if (std::exchange(paused, false)) partitions.push_back(partition);
  }
  return partitions;
}

bool Pauses::delivered(const PartitionKey& partition) {
  running_[partition] = paused_;
  return paused_;
}

bool Pauses::leaves(const PartitionKey& partition) {
  const auto left = running_.extract(partition);
  return !left.empty() && left.mapped();
}

}  // namespace weir
