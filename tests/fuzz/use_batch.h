// What must hold of any batch that decode_batch() gives, whoever wrote it.
#pragma once

#include "proto/window.h"
#include "tests/fuzz/require.h"

namespace weir::testing {

inline void use_batch(const DecodedBatch& batch) {
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
