// The agent's engine: follows files, parses lines, ships batches and advances its registry when they are
// acknowledged. weir-agent and `weir-aggregator local` run it.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/config.h"
#include "agent/ship/output.h"
#include "agent/status.h"
#include "common/log_level.h"
#include "proto/result.h"
#include "proto/source_id.h"

namespace weir {

// Options that differ between programs. The agent keeps positions in SQLite in state_dir. For `local`, the
// store's coverage is authoritative, and the agent keeps nothing across runs.
struct AgentOptions {
  // If set, there is no registry file. Returns the offset to start a source at: its content is counted up to
  // there.
  std::function<std::optional<std::uint64_t>(const SourceId&)> position_of{};
  // Receives messages for the operator. Empty: the agent writes to stderr itself.
  Say say{};
  // More files than this wait until others are closed, because the registry and the output need descriptors,
  // too.
  std::size_t max_open_files = SIZE_MAX;
};

class Agent {
 public:
  // Opens the registry (kInvalid if another agent holds the state_dir). `output` must outlive the agent.
  [[nodiscard]] static Result<std::unique_ptr<Agent>> create(const AgentConfig& config, Output& output,
                                                             AgentOptions options = {});
  ~Agent();

  // Runs the loop on this thread until stop(), then ships what has been read, within ship.shutdown_timeout.
  // Errors: the loop could not be created.
  [[nodiscard]] Result<void> run();
  void stop();                               // any thread, including the one that waits for signals
  void reload(AgentConfig config);           // any thread; the config must have been checked
  [[nodiscard]] AgentStatus status() const;  // any thread; the snapshot is at most 1 s old

 private:
  Agent();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
