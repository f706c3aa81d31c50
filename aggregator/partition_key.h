// Names a partition of a topic, for the source, the settler and the store alike.
#pragma once

#include <compare>
#include <cstdint>
#include <string>

namespace weir {

struct PartitionKey {
  std::string topic;  // "local" on a single box
  std::int32_t partition = 0;
  friend auto operator<=>(const PartitionKey&, const PartitionKey&) = default;
};

}  // namespace weir
