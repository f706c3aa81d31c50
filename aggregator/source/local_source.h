// The single box: the agent's code on a thread of this process, a bounded queue where Kafka
// would be. The store is the agent's registry (docs/decisions/0006).
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "aggregator/source/source.h"
#include "aggregator/store/ledger.h"

namespace weir {

// Where to go on reading a source: up to here its content is counted without a gap.
// nullopt: nothing is.
[[nodiscard]] std::optional<std::uint64_t> resume_offset(const Coverage& coverage);

class LocalSource : public Source {
 public:
  // `open_ledger` is called on the agent's thread, for a connection of that thread's own.
  [[nodiscard]] static Result<std::unique_ptr<LocalSource>> create(AgentConfig config,
                                                                   OpenLedger open_ledger);
  ~LocalSource() override;  // stops the agent and joins; what was not committed is read again next time

  [[nodiscard]] AgentStatus agent_status() const;  // any thread

  // The engine's thread. The agent starts with start_at(); a second start_at() means that
  // another process took the store over, and is kFenced.
  [[nodiscard]] Result<void> poll(std::chrono::milliseconds timeout, std::size_t max_events,
                                  std::vector<SourceEvent>& out) override;
  [[nodiscard]] Result<void> start_at(const PartitionKey& partition, std::int64_t offset) override;
  void revoked_done() override {}
  void committed(const PartitionKey& partition, std::int64_t next_offset) override;
  void pause(bool paused) override { paused_ = paused; }
  [[nodiscard]] std::string cluster_id() override { return "local"; }
  [[nodiscard]] std::string status() const override;

 private:
  LocalSource();
  struct Impl;
  std::unique_ptr<Impl> impl_;
  bool paused_ = false;
};

}  // namespace weir
