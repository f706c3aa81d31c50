#include "aggregator/audit_command.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>

#include "aggregator/audit.h"
#include "aggregator/load_config.h"
#include "common/exit_codes.h"
#include "common/text.h"

namespace weir {
namespace {

constexpr std::size_t kMaxSources = 1'000'000;
constexpr std::size_t kMaxLost = 10'000;

Result<std::string> read_file(const std::string& path) {
  errno = 0;
  std::ifstream in(path, std::ios::binary);
  std::string text(std::istreambuf_iterator<char>(in), {});
  // A folder can be opened; reading its first byte fails.
  if (!in.is_open() || in.bad() || errno == EISDIR)
    return fail(Code::kIo, fmt::format("{} cannot be read: {}", path, std::strerror(errno)),
                "check the path and its rights");
  return text;
}

int failed(const Error& error, int code) {
  print_error(kProgram, error);
  return code;
}

}  // namespace

int audit_command(const Traffic& store, const AuditOptions& options, std::FILE* out) {
  if (options.format != "table" && options.format != "json") {
    return failed({Code::kInvalid, fmt::format("--format {}: is not known", visible(options.format)),
                   "table and json are"},
                  kExitUsage);
  }
  // Read the agents' status before the store, so that what they have shipped has the most time to arrive.
  std::vector<AgentSource> agents;
  for (const auto& path : options.agent_status) {
    const auto text = read_file(path);
    if (!text) return failed(text.error(), kExitInput);
    auto parsed = parse_agent_status(*text, path);
    if (!parsed) return failed(parsed.error(), kExitInput);
    agents.insert(agents.end(), std::make_move_iterator(parsed->begin()),
                  std::make_move_iterator(parsed->end()));
  }
  auto sources = store.all_sources(kMaxSources + 1);
  if (!sources) return failed(sources.error(), kExitStore);
  if (sources->size() > kMaxSources) {
    return failed({Code::kFull, fmt::format("the store has more than {} sources", kMaxSources),
                   "set [settle] forget_after, so that the store forgets logs that ended long ago"},
                  kExitFailed);
  }
  auto lost = store.lost_offsets(kMaxLost);
  if (!lost) return failed(lost.error(), kExitStore);
  const auto report = audit(std::move(*sources), std::move(*lost), agents);
  fmt::print(out, "{}", options.format == "json" ? audit_json(report) : audit_table(report));
  if (std::fflush(out) != 0) return kExitFailed;
  return report.whole() ? kExitOk : kExitNotWhole;
}

}  // namespace weir
