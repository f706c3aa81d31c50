// The agent without an event loop: which files there are, what they are, whose turn it is,
// what is in flight, and what the registry may know. Files, time and output are interfaces,
// so that tests and the simulation run this very code. agent/agent.h is its edge.
//
// Thread: one. Nothing here blocks, but for the file system.
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
  // All outlive it. `host` is the machine's name. Errors: a codec or format that does not compile.
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
  // True: there is more to do at once; false: after tick(), path_changed() or an acknowledgement.
  bool work();
  // What is done now and then: call it every 100 ms or so, then work(). While quiet() after due_in_ms() will
  // do.
  void tick();
  [[nodiscard]] std::int64_t due_in_ms() const;  // at least 1
  // Nothing is on its way but heartbeats, nothing waits for its turn, the registry was asked to keep it all.
  [[nodiscard]] bool quiet() const;
  // Grows with all that status() tells but the passing of time and the output's own state.
  [[nodiscard]] std::uint64_t changes() const;

  // The watcher's hints. None is needed: what it does not tell is found by looking.
  void path_changed(const std::string& path, bool name_changed);
  void look_everywhere();  // events were lost
  // Folders whose changes it should tell, as of the last look; and those of them that it tells.
  [[nodiscard]] const std::set<std::string>& folders_to_watch() const;
  void set_watched(std::set<std::string> folders);
  [[nodiscard]] std::uint64_t scans() const;  // how often folders_to_watch() may have changed

  void reload(AgentConfig config);  // once nothing is in flight
  void stop();                      // reads no more; done() once all is acknowledged or time is up
  [[nodiscard]] bool done() const;
  void finish();  // the last words to the registry

  // Its invariants, and those of its parts (proto/must.h).
  void check() const;

  [[nodiscard]] AgentStatus status() const;
  // Looks once, reads nothing, keeps nothing: what a start would do.
  [[nodiscard]] std::vector<PlanLine> plan();

 private:
  AgentCore();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
