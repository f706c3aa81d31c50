// Reads messages from Kafka as one consumer of a group. Offsets come from the store, never from Kafka, and
// nothing is skipped silently (docs/architecture.md).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "aggregator/source/source.h"
#include "common/kafka_connection.h"

namespace weir {

// Not thread-safe: only the engine's thread calls it.
class KafkaSource : public Source {
 public:
  // Errors: kInvalid (librdkafka refuses a property). A broker that does not answer is not an error: status()
  // reports it, and the source connects when it can.
  [[nodiscard]] static Result<std::unique_ptr<KafkaSource>> create(const KafkaConnection& connection,
                                                                   const std::vector<std::string>& topics,
                                                                   const std::string& group);
  ~KafkaSource() override;  // leaves the group

  [[nodiscard]] Result<void> poll(std::chrono::milliseconds timeout, std::size_t max_events,
                                  std::vector<SourceEvent>& out) override;
  [[nodiscard]] Result<void> start_at(const PartitionKey& partition, std::int64_t offset) override;
  void revoked_done() override;
  void committed(const PartitionKey& partition, std::int64_t next_offset) override;
  void pause(bool paused) override;
  [[nodiscard]] std::string cluster_id() override;
  [[nodiscard]] std::string status() const override;

 private:
  KafkaSource();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
