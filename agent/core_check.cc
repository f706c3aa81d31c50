// The invariants of the core as a whole; its parts check their own.
#include <algorithm>

#include "agent/core_impl.h"
#include "proto/must.h"

namespace weir {
namespace {

[[maybe_unused]] void check_source(const Source& source) {
  MUST(source.id != SourceId{}, "a source that is followed has an id");
  MUST(source.sent.acknowledged_offset() <= source.reader.offset(), "acknowledged <= offset");
  MUST(source.reader.offset() <= source.reader.position(), "offset <= position");
  source.sent.check(source.reader.offset());
}

}  // namespace

void AgentCore::check() const {
#ifdef WEIR_MUST
  const auto& impl = *impl_;
  std::unordered_map<SourceId, std::size_t, SourceIdHash> living;
  for (const auto& [key, source] : impl.sources) {
    check_source(*source);
    ++living[source->id];
    const auto in = std::count(impl.live.begin(), impl.live.end(), source) +
                    std::count(impl.rotated.begin(), impl.rotated.end(), source) +
                    std::count(impl.packed.begin(), impl.packed.end(), source);
    MUST(in == (source->queued ? 1 : 0), "a queued source is in exactly one lane, and no other is in any");
  }
  for (const auto& source : impl.leaving) {
    check_source(*source);
    ++living[source->id];
  }
  MUST(living == impl.living, "ids in memory are those of the sources followed and leaving");
  std::uint64_t bytes = 0;
  std::set<const Impl::InFlight*> seen;
  const auto add = [&](const Impl::InFlight& entry) {
    if (entry.kind == Impl::InFlight::Kind::kLines && seen.insert(&entry).second)
      bytes += entry.content_bytes;
  };
  for (const auto& [id, entry] : impl.in_flight) add(*entry);
  for (const auto& held : impl.held) add(*held.entry);
  for (const auto& waiting : impl.staged) add(waiting.entry);
  MUST(bytes == impl.in_flight_bytes, "the bytes in flight are the sum of what is in flight");
#endif
}

}  // namespace weir
