// The Kafka output, through librdkafka.
#pragma once

#include <memory>

#include "agent/ship/make_output.h"

namespace weir {

// The largest message that this configuration may produce, even if nothing in it compresses.
[[nodiscard]] std::uint64_t largest_message_bytes(const KafkaOutputConfig& config, std::uint64_t max_line);

class KafkaOutput : public Output {
 public:
  // Errors: kInvalid, for a property that librdkafka does not know.
  [[nodiscard]] static Result<std::unique_ptr<Output>> create(const OutputConfig& config,
                                                              const ShipConfig& ship, std::uint64_t max_line);
  ~KafkaOutput() override;
  void set_on_settled(Settled on_settled) override;
  [[nodiscard]] Result<void> send(Message& message) override;
  [[nodiscard]] std::int32_t partition_count(std::size_t route) override;
  void poll() override;
  [[nodiscard]] int readable_fd() const override;
  [[nodiscard]] OutputStatus status() const override;

 private:
  KafkaOutput();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
