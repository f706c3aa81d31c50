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
#include "proto/result.h"
#include "proto/source_id.h"

namespace weir {

// What the agent knows of one source; also what `weir-agent status` prints.
struct SourceStatus {
  SourceId id;
  std::string path, input;
  std::uint64_t size_bytes = 0;  // of the content, as far as known
  std::uint64_t read_offset = 0;
  std::uint64_t acknowledged_offset = 0;
  std::int64_t last_acknowledged_ms = 0;  // 0: never
  std::string state;                      // "active", "rotated", "gone", "unreadable: ..."
};

inline constexpr std::size_t kMaxSourcesShown = 1000;

struct AgentStatus {
  bool caught_up = false;  // every file that matches is read to its end and acknowledged
  std::uint64_t read_lines = 0, read_bytes = 0;
  std::uint64_t shipped_lines = 0, shipped_bytes = 0, shipped_batches = 0, wire_bytes = 0;
  std::uint64_t crowded_batches = 0;  // of windows: closed early, for their sites or windows are many
  std::uint64_t unparsed_lines = 0, filtered_lines = 0, truncated_lines = 0;
  std::uint64_t in_flight_bytes = 0;
  std::uint64_t backlog_bytes = 0;       // of rotated files, not acknowledged
  std::uint64_t lost_bytes = 0;          // that will never be sent; see the registry's losses
  std::uint64_t unseen_truncations = 0;  // files that were truncated while nobody looked
  std::uint64_t losses_waiting = 0;      // not yet acknowledged
  OutputStatus output;
  std::size_t source_count = 0;
  std::vector<SourceStatus> sources;  // the first kMaxSourcesShown: each is a name for whoever scrapes it
  std::vector<std::string> problems;  // "/var/log/x.log: permission denied; ..."
};

// Where positions are kept. SQLite in state_dir for the agent; for `local`, the store's
// coverage is the truth and this one remembers nothing across runs.
struct AgentOptions {
  // Set: no registry file. The offset to start a source at (its content is counted up to there).
  std::function<std::optional<std::uint64_t>(const SourceId&)> position_of{};
  // Sentences for whoever looks after the agent; at most one round of them a minute.
  std::function<void(const std::string&)> say{};
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
