// weir-agent drained: reports whether all of a file is acknowledged, so that it may be deleted.
#include <fmt/format.h>

#include <filesystem>
#include <thread>

#include "agent/commands.h"
#include "agent/drained.h"
#include "agent/tail/registry.h"
#include "common/clock.h"
#include "common/exit_codes.h"
#include "common/text.h"

namespace weir {

int drained_command(const std::string& file, const std::string& state_dir, std::chrono::milliseconds wait) {
  const auto path = std::filesystem::absolute(file).lexically_normal().string();
  const auto read_state = [&]() -> Result<DrainState> {
    const auto registry = read_registry(state_dir);
    if (!registry) return std::unexpected(registry.error());
    return drain_state(path, registry->entries, posix_file_system());
  };
  const auto pause = [](std::chrono::milliseconds time) { std::this_thread::sleep_for(time); };
  const auto state = wait_until_drained(read_state, wait, system_clock(), pause);
  if (!state) {
    print_error("weir-agent", state.error());
    return kExitInput;
  }
  if (state->drained) {
    fmt::print("{}\n", visible(state->why));
    return kExitOk;
  }
  print_error("weir-agent", Error{Code::kUnavailable, state->why,
                                  "keep it for now; weir-agent status says how far the agent is, --wait 30s "
                                  "waits for it"});
  return kExitNotDrained;
}

}  // namespace weir
