// What must hold for any batch that decode_batch() returns, whatever its origin.
#pragma once

#include "proto/window.h"
#include "tests/fuzz/require.h"

namespace weir::testing {

inline void use_windows(const DecodedBatch& batch) {
  const auto& folded = batch.folded;
  std::uint64_t requests = 0;
  for (const auto& row : folded.rows) {
    requests += row.sum.requests;
    require(row.sum.latency.count() <= row.sum.requests, "no more latencies than requests");
    require(row.start_s % folded.window_s == 0, "a window begins where windows do");
    require(is_site(folded.sites.at(row.site)), "a site is one");
  }
  require(requests + folded.unparsed + folded.filtered == folded.lines, "each line is counted once");
  const auto again = encode_windows(batch.header, folded, 1);
  require(again.has_value(), "what was decoded can be encoded");
  const auto back = decode_batch(*again);
  require(back && back->folded == folded && back->header == batch.header, "and comes back");
  WindowDelta delta;
  merge_into(delta, folded, batch.header.host);
  for (const auto& [key, sum] : delta) requests -= sum.requests;
  require(requests == 0, "every request is in one window");
}

inline void use_batch(const DecodedBatch& batch) {
  if (batch.header.kind == BatchKind::kWindows) {
    use_windows(batch);
    return;
  }
  const auto& columns = batch.columns;
  require(columns.records() + columns.unparsed.size() + columns.filtered == columns.line_bytes.size(),
          "every line is a record, unparsed or filtered");
  Record record;
  std::vector<std::string_view> scratch;
  std::uint64_t seen = 0;
  for (std::size_t i = 0; i < columns.records(); ++i) {
    batch.record(i, record, scratch);
    for (const auto text : record.text) seen += text.size();
    for (const auto text : record.extra) seen += text.empty() ? 0 : static_cast<unsigned char>(text.back());
  }
  require(seen < ~0ULL, "its text can be read");
  const auto lines = static_cast<std::uint32_t>(columns.line_bytes.size());
  const FoldConfig config{.max_spread_s = 600};
  WindowDelta whole;
  fold(batch, 0, lines, config, whole);
  std::uint64_t requests = 0;
  for (const auto& [key, sum] : whole) requests += sum.requests;
  require(requests == columns.records(), "every record is in one window");
  WindowDelta begin;
  WindowDelta end;
  fold(batch, 0, lines / 2, config, begin);
  fold(batch, lines / 2, lines, config, end);
  merge_into(begin, end);
  require(begin == whole, "the fold of two parts is the fold of the whole");
}

}  // namespace weir::testing
