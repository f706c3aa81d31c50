// The agent without an event loop. It decides which files exist, which source each file is, whose turn it is,
// what is sent and what the registry records. Files, time and output are interfaces, so tests and the
// simulation run the same code. agent/agent.h connects it to the outside.
//
// Thread: one. Nothing here blocks except the file system.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "agent/config.h"
#include "agent/ship/output.h"
#include "agent/tail/file_system.h"
#include "agent/tail/registry.h"
#include "common/clock.h"
#include "proto/result.h"

namespace weir {

// What a start would do with one file, and the reason.
struct PlanLine {
  std::string path;
  SourceId source;  // empty: nothing would be read
  std::uint64_t offset = 0, size_bytes = 0;
  std::string why;
};

class AgentCore {
 public:
  // The referenced objects must outlive the core. `host` is the machine's name.
  struct Parts {
    Output& output;
    const FileSystem& files;
    const Clock& clock;
    std::unique_ptr<Registry> registry;
    std::string host;
  };
  [[nodiscard]] static Result<std::unique_ptr<AgentCore>> create(const AgentConfig& config, Parts parts,
                                                                 AgentOptions options);
  ~AgentCore();

  // Processes acknowledgements, scans for files if it is time, then reads and ships one round.
  // True: call it again at once. False: there may be more to do after tick(), path_changed() or an
  // acknowledgement.
  bool work();
  // Periodic work: call it about every 100 ms, then work(). While quiet(), after due_in_ms() is enough.
  void tick();
  [[nodiscard]] std::int64_t due_in_ms() const;  // at least 1
  // Whether only heartbeats are in flight, no source waits for its turn, and the registry has everything.
  [[nodiscard]] bool quiet() const;
  // Increases when anything that status() reports changes, except times and the output's own state.
  [[nodiscard]] std::uint64_t changes() const;

  // Hints from the watcher. None is required: the core finds unreported changes itself.
  void path_changed(const std::string& path, bool name_changed);
  void look_everywhere();  // events were lost
  // The folders to watch, as of the last scan, and those that are actually watched.
  [[nodiscard]] const std::set<std::string>& folders_to_watch() const;
  void set_watched(std::set<std::string> folders);
  // The number of scans. Each may have changed folders_to_watch().
  [[nodiscard]] std::uint64_t scans() const;

  void reload(AgentConfig config);  // takes effect once nothing is in flight
  void stop();                      // stops reading; done() once everything is acknowledged or time is up
  [[nodiscard]] bool done() const;
  void finish();  // writes the remaining changes to the registry

  // Checks the invariants of the core and of its parts (proto/must.h).
  void check() const;

  [[nodiscard]] AgentStatus status() const;
  // What a start would do. Scans once, reads no lines and stores nothing.
  [[nodiscard]] std::vector<PlanLine> plan();

 private:
  AgentCore();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
