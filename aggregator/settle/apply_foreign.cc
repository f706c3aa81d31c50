// What a message of a foreign producer adds to a commit: JSON of another shipper, or a raw line.
#include <algorithm>
#include <limits>

#include "aggregator/settle/clean_text.h"
#include "aggregator/settle/settler_impl.h"

namespace weir {

// One message is one record, counted once per (topic, partition, offset). It is folded as a batch of one
// line, so that the arithmetic exists only once.
void Settler::Impl::apply_foreign(Generation& generation, const SourceMessage& message, std::int64_t now_ms) {
  switch (foreign->read(message.payload, reading)) {
    case ForeignReader::Outcome::kSkip:
      return;
    case ForeignReader::Outcome::kUnparsed:
      add_dead_letter(generation, {.partition = message.partition,
                                   .offset = message.offset,
                                   .source = {},
                                   .reason = reading.reason,
                                   .text = message.payload.substr(0, kDeadLetterTextBytes),
                                   .seen_ms = now_ms});
      return;
    case ForeignReader::Outcome::kRecord:
      break;
  }
  const Record& record = reading.record;
  Columns& columns = foreign_batch.columns;
  foreign_batch.header.host = clean_text(reading.host, kMaxNameBytes);
  columns.record_line.assign(1, 0);
  columns.time_ms.assign(1, record.time_ms);
  columns.line_bytes.assign(1, 1);
  // Only the fields that windows are grouped by.
  for (const Text field : {Text::kHost, Text::kServerName}) {
    auto& column = columns.text[static_cast<std::size_t>(field)];
    column.strings = {std::string_view(), record.get(field)};
    column.index.assign(1, record.has(field) ? 1 : 0);
  }
  for (std::size_t i = 0; i < kNumberCount; ++i) {
    auto& column = columns.number[i];
    column.clear();
    if (record.has(static_cast<Number>(i)))
      column.push_back(std::min(record.number[i], std::numeric_limits<std::uint64_t>::max() - 1) + 1);
  }
  generation.windows.add(foreign_batch, 0, 1, admits(generation));
  ++counters.records;
}

}  // namespace weir
