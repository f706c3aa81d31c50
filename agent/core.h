// The agent without an event loop: it decides which files there are, what they are, whose turn it is, what
// is sent, and what the registry is told. Files, time and output are interfaces, so that tests and the
// simulation run the same code. agent/agent.h is its edge.
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

// What a start would do with one file, and why.
struct PlanLine {
  std::string path;
  SourceId source;  // empty: nothing would be read
  std::uint64_t offset = 0, size_bytes = 0;
  std::string why;
};

class AgentCore {
 public:
  // The references outlive the core. `host` is the machine's name.
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

  // Delivers what was acknowledged, looks for files when it is time, reads and ships one round.
  // True: call it again at once. False: there may be more to do after tick(), path_changed() or an
  // acknowledgement.
  bool work();
  // Periodic work: call it about every 100 ms, then work(). While quiet(), after due_in_ms() is enough.
  void tick();
  [[nodiscard]] std::int64_t due_in_ms() const;  // at least 1
  // Only heartbeats are in flight, nothing waits for its turn, and the registry was given everything.
  [[nodiscard]] bool quiet() const;
  // Increases when something that status() reports changes, except times and the output's own state.
  [[nodiscard]] std::uint64_t changes() const;

  // Hints from the watcher. None is required: the core finds by itself what the watcher does not report.
  void path_changed(const std::string& path, bool name_changed);
  void look_everywhere();  // events were lost
  // Folders to watch, as of the last look; and those of them that are watched.
  [[nodiscard]] const std::set<std::string>& folders_to_watch() const;
  void set_watched(std::set<std::string> folders);
  [[nodiscard]] std::uint64_t scans() const;  // how often folders_to_watch() may have changed

  void reload(AgentConfig config);  // once nothing is in flight
  void stop();                      // reads no more; done() once all is acknowledged or time is up
  [[nodiscard]] bool done() const;
  void finish();  // gives the registry what it does not have yet

  // Its invariants, and those of its parts (proto/must.h).
  void check() const;

  [[nodiscard]] AgentStatus status() const;
  // What a start would do: looks once, reads no lines, keeps nothing.
  [[nodiscard]] std::vector<PlanLine> plan();

 private:
  AgentCore();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
