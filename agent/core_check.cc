// Checks the invariants of the core as a whole. Its parts check their own.
#include "agent/core_impl.h"
#include "proto/must.h"

namespace weir {
namespace {

[[maybe_unused]] void check_source(const Source& source) {
  MUST(source.id != SourceId{}, "a source in memory has an id");
  MUST(source.content != nullptr && source.parser != nullptr && source.input != nullptr,
       "a source in memory has a file, a parser and an input");
  MUST(source.sent.acknowledged_offset() <= source.reader.offset(), "acknowledged <= offset");
  MUST(source.reader.offset() <= source.reader.position(), "offset <= position");
  MUST(!source.names.empty() && source.names.back() == source.path, "its last name is its path");
  source.reader.check();
  source.sent.check(source.reader.offset());
}

}  // namespace

void AgentCore::check() const {
#ifdef WEIR_MUST
  const auto& impl = *impl_;
  for (const auto& [key, source] : impl.sources.followed()) check_source(*source);
  for (const auto& source : impl.sources.leaving()) check_source(*source);
  for (const auto& [key, source] : impl.sources.followed()) impl.claims.check(*source);
  impl.sources.check();
  impl.lanes.check(impl.sources);
  impl.flight.check();
  impl.troubles.check();
  MUST(impl.flushed_changes <= impl.changes, "changes ascend");
#endif
}

}  // namespace weir
