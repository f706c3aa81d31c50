// The agent's engine: follows files, parses lines, ships batches, moves its
// registry on acknowledgement. weir-agent runs it; so does `weir-aggregator local`.
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

// Where positions are kept. SQLite in state_dir for the agent; for `local`, the store's
// coverage is the truth and this one remembers nothing across runs.
struct AgentOptions {
  // Set: no registry file. The offset to start a source at (its content is counted up to there).
  std::function<std::optional<std::uint64_t>(const SourceId&)> position_of{};
  // For the operator. Empty: the agent writes to stderr itself.
  Say say{};
  // Files beyond this wait until others are closed: the registry and the output need descriptors, too.
  std::size_t max_open_files = SIZE_MAX;
};

class Agent {
 public:
  // Opens the registry (kInvalid when another agent holds the state_dir). `output` outlives it.
  [[nodiscard]] static Result<std::unique_ptr<Agent>> create(const AgentConfig& config, Output& output,
                                                             AgentOptions options = {});
  ~Agent();

  // Runs the loop on this thread until stop(); then ships what is read, within
  // ship.shutdown_timeout. Errors: the loop could not be made.
  [[nodiscard]] Result<void> run();
  void stop();                               // any thread, and signal handlers' watcher
  void reload(AgentConfig config);           // any thread; a config that was checked
  [[nodiscard]] AgentStatus status() const;  // any thread; a snapshot at most 1 s old

 private:
  Agent();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
