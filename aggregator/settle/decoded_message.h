// Decodes the settler's current message once, for both need() and apply().
#pragma once

#include <optional>

#include "aggregator/source/source.h"
#include "proto/batch.h"
#include "proto/result.h"

namespace weir {

class DecodedMessage {
 public:
  explicit DecodedMessage(const DecodeLimits& limits) : limits_(limits) {}

  // Valid until the next call or forget(). The caller may change the batch, or move from it, before forget().
  [[nodiscard]] Result<DecodedBatch>& of(const SourceMessage& message) {
    if (!batch_ || offset_ != message.offset || partition_ != message.partition) {
      batch_.emplace(decode_batch(message.payload, limits_));
      partition_ = message.partition;
      offset_ = message.offset;
    }
    return *batch_;
  }
  void forget() { batch_.reset(); }

 private:
  DecodeLimits limits_;
  PartitionKey partition_;
  std::int64_t offset_ = -1;
  std::optional<Result<DecodedBatch>> batch_;
};

}  // namespace weir
