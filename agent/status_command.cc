// weir-agent status: prints the sources in the registry, even while an agent is running.
#include <fmt/format.h>

#include <algorithm>

#include "agent/command_text.h"
#include "agent/commands.h"
#include "agent/tail/registry_status.h"
#include "common/exit_codes.h"
#include "common/text.h"

namespace weir {
namespace {

std::uint64_t lag(const SourceStatus& source) {
  return source.size_bytes - std::min(source.size_bytes, source.acknowledged_offset);
}

}  // namespace

int status_command(const std::string& state_dir, bool json) {
  const auto sources = read_registry_status(state_dir);
  if (!sources) {
    print_error("weir-agent", sources.error());
    return sources.error().code == Code::kNotFound ? kExitInput : kExitFailed;
  }
  if (!json)
    fmt::print("{:<32}  {:>14}  {:>14}  {:>12}  {:<20}  {:<8}  PATH\n", "SOURCE", "SIZE", "SHIPPED", "LAG",
               "LAST SHIPPED", "STATE");
  for (const auto& source : *sources) {
    if (json) {
      fmt::print(
          "{{\"source\":\"{}\",\"path\":{},\"input\":{},\"size_bytes\":{},\"shipped_offset\":{},\"lag_"
          "bytes\":{},\"last_shipped_ms\":{},\"state\":{}}}\n",
          source.id.hex(), json_text(source.path), json_text(source.input), source.size_bytes,
          source.acknowledged_offset, lag(source), source.last_acknowledged_ms,
          json_text(source.state.text()));
    } else {
      fmt::print("{:<32}  {:>14}  {:>14}  {:>12}  {:<20}  {:<8}  {}\n", source.id.hex(), source.size_bytes,
                 source.acknowledged_offset, lag(source), utc_text(source.last_acknowledged_ms),
                 visible(source.state.text()), visible(source.path));
    }
  }
  return kExitOk;
}

}  // namespace weir
