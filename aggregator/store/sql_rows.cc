#include "aggregator/store/sql_rows.h"

#include <fmt/format.h>

#include <utility>

namespace weir {

RowReader& operator>>(RowReader& in, StoredSource& out) {
  SourceState& state = out.state;
  return in >> out.id >> state.agent_id >> state.instance >> state.host >> state.input >> state.path >>
         out.origin >> out.high_water >> state.lines >> state.unparsed >> state.too_long >> state.filtered >>
         state.first_seen_ms >> state.last_seen_ms >> state.version;
}

Result<SourceState> with_gaps(StoredSource stored, std::vector<Gap> gaps) {
  auto id = SourceId::from_hex(stored.id);
  if (!id) return std::unexpected(id.error());
  stored.state.id = *id;
  stored.state.coverage = Coverage(stored.origin, stored.high_water, std::move(gaps));
  if (!stored.state.coverage.valid())
    return fail(Code::kCorrupt, fmt::format("store: the coverage of source {} contradicts itself", stored.id),
                "restore the tables source and source_gap from a backup");
  return std::move(stored.state);
}

RowReader& operator>>(RowReader& in, Gap& out) {
  std::uint64_t cause = 0;
  in >> out.begin >> out.end >> cause >> out.since_ms;
  out.cause = loss_cause_of(cause);
  return in;
}

RowReader& operator>>(RowReader& in, StoredSum& out) {
  WindowSum& sum = out.sum;
  return in >> sum.requests >> sum.bytes_sent >> sum.flow_bytes >> sum.request_bytes >> sum.request_time_ms >>
         sum.upstream_time_ms >> out.latency;
}

Result<WindowSum> with_latency(StoredSum stored) {
  auto latency = Histogram::decode(stored.latency);
  if (!latency) return std::unexpected(latency.error());
  stored.sum.latency = std::move(*latency);
  return std::move(stored.sum);
}

}  // namespace weir
