// `weir-aggregator audit`: was every byte counted? Turns rows into a report. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/store/traffic.h"

namespace weir {

// One line of `weir-agent status --json`.
struct AgentSource {
  SourceId id;
  std::string path;
  std::uint64_t shipped_offset = 0;  // the output has accepted every byte before it
};
// `name` is the file's name, for errors. kInvalid names the line.
[[nodiscard]] Result<std::vector<AgentSource>> parse_agent_status(std::string_view text,
                                                                  std::string_view name);

// Bytes that an agent has shipped but the store does not know.
struct Unsettled {
  SourceId id;
  std::string path;
  ByteRange missing;
  bool known = false;  // whether the store knows the source
};

struct AuditReport {
  std::vector<SourceState> sources;  // by host, path and id
  std::vector<DeadLetter> lost;      // records of lost messages, in the order given
  std::vector<Unsettled> unsettled;  // by path and id
  std::uint64_t counted_bytes = 0;   // in total
  std::uint64_t gaps = 0;
  std::uint64_t gap_bytes = 0;
  std::uint64_t lines = 0;
  std::uint64_t unparsed = 0;
  std::uint64_t too_long = 0;
  std::uint64_t filtered = 0;
  std::uint64_t unsettled_bytes = 0;
  // No gap, nothing lost, nothing unsettled. Unparsed lines do not matter here, because they were counted.
  [[nodiscard]] bool whole() const { return gaps == 0 && lost.empty() && unsettled.empty(); }
};

// If `agents` names a source more than once, the furthest offset counts.
[[nodiscard]] AuditReport audit(std::vector<SourceState> sources, std::vector<DeadLetter> lost,
                                const std::vector<AgentSource>& agents);

// Names in both come from machines and logs, so control characters are escaped.
[[nodiscard]] std::string audit_table(const AuditReport& report);
[[nodiscard]] std::string audit_json(const AuditReport& report);

}  // namespace weir
