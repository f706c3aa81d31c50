// `weir-aggregator audit`: was every byte counted? From rows to a report. Pure.
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
  std::uint64_t shipped_offset = 0;  // the output has taken everything before it
};
// `name` is the name of the file, for errors: kInvalid, with the line's number.
[[nodiscard]] Result<std::vector<AgentSource>> parse_agent_status(std::string_view text,
                                                                  std::string_view name);

// Bytes that an agent has shipped and the store does not know.
struct Unsettled {
  SourceId id;
  std::string path;
  ByteRange missing;
  bool known = false;  // to the store
};

struct AuditReport {
  std::vector<SourceState> sources;  // by host, path and id
  std::vector<DeadLetter> lost;      // lost messages, in the order given
  std::vector<Unsettled> unsettled;  // by path and id
  std::uint64_t counted_bytes = 0;   // totals
  std::uint64_t gaps = 0;
  std::uint64_t gap_bytes = 0;
  std::uint64_t lines = 0;
  std::uint64_t unparsed = 0;
  std::uint64_t too_long = 0;
  std::uint64_t filtered = 0;
  std::uint64_t unsettled_bytes = 0;
  // No gap, nothing lost, nothing unsettled. Lines that did not parse do not matter: they were counted, as
  // unparsed.
  [[nodiscard]] bool whole() const { return gaps == 0 && lost.empty() && unsettled.empty(); }
};

// `agents` may name a source more than once: the furthest offset counts.
[[nodiscard]] AuditReport audit(std::vector<SourceState> sources, std::vector<DeadLetter> lost,
                                const std::vector<AgentSource>& agents);

// Names in both come from machines and logs: control characters are shown as escapes.
[[nodiscard]] std::string audit_table(const AuditReport& report);
[[nodiscard]] std::string audit_json(const AuditReport& report);

}  // namespace weir
