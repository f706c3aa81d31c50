// The single box: the agent's code runs on a thread of this process, and a bounded queue takes the place of
// Kafka. The store serves as the agent's registry (docs/decisions/0006).
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

// Where to continue reading a source: its content is counted without a gap up to here. nullopt: nothing is
// counted.
[[nodiscard]] std::optional<std::uint64_t> resume_offset(const Coverage& coverage);

class LocalSource : public Source {
 public:
  // `open_ledger` is called on the agent's thread, and only that thread uses the connection.
  [[nodiscard]] static Result<std::unique_ptr<LocalSource>> create(AgentConfig config,
                                                                   OpenLedger open_ledger);
  ~LocalSource() override;  // stops the agent and joins; uncommitted content is read again later

  [[nodiscard]] AgentStatus agent_status() const;  // any thread

  // On the engine's thread. start_at() starts the agent. A second call means that another process has taken
  // over the store, and returns kFenced.
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
