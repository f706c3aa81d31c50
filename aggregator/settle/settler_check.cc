// Checks the settler's invariants.
#include "aggregator/settle/settler_impl.h"
#include "proto/must.h"

namespace weir {

void Settler::Impl::check_partition(const PartitionKey& key, const SettledPartition& partition) const {
  const Generation& open = partition.open;
  MUST(partition.lost_offsets || partition.next_apply >= partition.state.next_offset,
       "what is applied next is not below what is committed");
  MUST(partition.open_touched || (open.sources.empty() && open.agents.empty() && open.new_sites.empty() &&
                                  open.dead_letter_count == 0 && open.bytes == 0),
       "a commit that nothing was applied to has nothing");
  MUST(open.dead_letters.size() <= open.dead_letter_count, "each dead letter that is kept is counted");
  for (const std::string& site : open.new_sites) MUST(sites.knows(site), "a new site was admitted");
  for (const SourceId& id : open.sources) {
    const auto source = sources.find(id);
    MUST(source != sources.end(), "the source of a commit is known");
    MUST(source->second.in_open && source->second.partition == key,
         "a source is in the open commit of its own partition");
  }
  if (partition.sealed)
    check_sealed(key, partition);
  else
    MUST(partition.sealed_bytes == 0, "only a sealed commit has bytes");
}

void Settler::Impl::check_sealed(const PartitionKey& key, const SettledPartition& partition) const {
  const Commit& commit = *partition.sealed;
  MUST(commit.partition == key && commit.epoch == partition.state.epoch,
       "a sealed commit is of the partition and epoch that it was taken in");
  MUST(commit.expected_next_offset == partition.state.next_offset,
       "a sealed commit begins where the last one ended");
  MUST(partition.lost_offsets || commit.next_offset <= partition.next_apply,
       "a sealed commit ends where something was applied");
  for (const DeadLetter& letter : commit.dead_letters)
    MUST(letter.partition == key, "a dead letter is of the partition of its commit");
  for (const SourceState& state : commit.sources) {
    const auto source = sources.find(state.id);
    MUST(source != sources.end() && source->second.in_sealed,
         "the sources of a sealed commit are known to be in it");
    MUST(source->second.state.version == state.version,
         "the version of a source changes only when its commit has landed");
    MUST(source->second.state.coverage.high_water() >= state.coverage.high_water(), "coverage only grows");
  }
}

void Settler::check() const {
#ifdef WEIR_MUST
  std::size_t in_commits = 0;
  for (const auto& [key, partition] : impl_->partitions) {
    impl_->check_partition(key, partition);
    in_commits += partition.open.sources.size();
  }
  std::size_t marked = 0;
  for (const auto& [id, source] : impl_->sources) {
    MUST(source.state.coverage.valid(), "the coverage of a source is valid");
    if (!source.in_open && !source.in_sealed) continue;
    MUST(source.state.id == id, "a source that was applied has its id");
    MUST(source.partition && impl_->partitions.contains(*source.partition),
         "a source with something pending belongs to an assigned partition");
    marked += source.in_open ? 1 : 0;
  }
  MUST(marked == in_commits, "a source marked as pending is in one open commit");
#endif
}

}  // namespace weir
