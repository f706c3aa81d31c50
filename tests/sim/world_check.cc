// What must hold: each part's invariants after every action, and all promises once the world is healed.
#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>
#include <map>
#include <set>

#include "tests/sim/world_impl.h"

namespace weir::sim {

// Each part's own invariants, so that a fault shows at the action that causes it. An aggregator that sleeps
// is in the middle of an operation.
void World::check_parts() const {
  for (const auto& agent : agents_) {
    if (agent->core) agent->core->check();
  }
  for (const auto& aggregator : aggregators_) {
    if (aggregator->engine && !aggregator->source->asleep()) aggregator->engine->check();
  }
}

bool World::settled() {
  for (auto& agent : agents_) {
    if (!agent->core || !agent->core->status().caught_up || agent->core->status().in_flight_bytes > 0)
      return false;
  }
  for (std::int32_t p = 0; p < broker_.partitions(); ++p) {
    auto row =
        database_->query("SELECT next_offset FROM partition_state WHERE partition_id = ?", {std::int64_t{p}});
    const auto next = !row || row->empty() ? 0 : std::max<std::int64_t>(0, number(row->front().front()));
    if (next != broker_.partition(p).end() && broker_.partition(p).end() > broker_.partition(p).start)
      return false;
  }
  return true;
}

// No more faults: everything must come to rest within bounds.
void World::heal() {
  random_ = Random(99);
  say("---- all is healed");
  set_faults(0);
  store_faults_ = {};
  broker_.up = true;
  for (auto& agent : agents_) {
    for (auto& file : agent->files) {
      if (file.copied) writers_.rotate(file);
      writers_.write(file, 1);  // so that a loss at the end of a file also shows as a gap
      writers_.finish_line(file);
    }
    if (!agent->core) start(*agent);
  }
  for (auto& aggregator : aggregators_) {
    if (!aggregator->engine) start(*aggregator);
    if (aggregator->source->asleep()) aggregator->source->wake_up();
  }
  broker_.rebalance(random_);
  for (int round = 0;; ++round) {
    for (auto& agent : agents_) {
      as(*agent, [&] {
        agent->core->tick();
        for (int n = 0; n < 50 && agent->core->work(); ++n) agent->output->deliver(50);
        agent->output->deliver(50);
      });
    }
    for (std::int32_t p = 0; p < broker_.partitions(); ++p) broker_.replicate(p, 1'000'000);
    for (auto& agent : agents_) as(*agent, [&] { agent->core->work(); });
    for (auto& aggregator : aggregators_) {
      aggregator->source->max_messages = 64;
      for (int n = 0; n < 3; ++n) as(*aggregator, [&] { std::ignore = aggregator->engine->step(); });
    }
    clock_.advance(1000);
    if (round >= kHealingRounds && settled()) return;
    if (round == kMaxHealingRounds) {
      std::string why;
      for (auto& agent : agents_) {
        const auto status = agent->core->status();
        why += fmt::format("; agent {}: caught up {}, {} bytes in flight", agent->number, status.caught_up,
                           status.in_flight_bytes);
        for (const auto& source : status.sources)
          why += fmt::format(", {} {}/{}/{}", source.path, source.acknowledged_offset, source.read_offset,
                             source.size_bytes);
        for (const auto& problem : status.problems) why += ", " + problem;
      }
      for (auto& aggregator : aggregators_)
        why += fmt::format("; aggregator {}: {}", aggregator->number, aggregator->engine->status().problem);
      throw Violation{"it does not settle" + why};
    }
  }
}

bool World::followed(const AgentHost& agent, const std::string& path) const {
  const auto& globs = agent.config.inputs.front().paths;
  return std::any_of(globs.begin(), globs.end(), [&](const auto& glob) {
    return ::fnmatch(glob.c_str(), path.c_str(), FNM_PATHNAME) == 0;
  });
}

World::Counted World::counted_lines() {
  auto rows =
      database_->query("SELECT site, SUM(requests), SUM(bytes_sent) FROM window_traffic GROUP BY site", {});
  if (!rows) throw Violation{rows.error().what};
  Counted counted;
  for (const auto& row : *rows)
    counted[text(row[0])] = {static_cast<std::uint64_t>(number(row[1])),
                             static_cast<std::uint64_t>(number(row[2]))};
  return counted;
}

// Lines that a followed file still has, and lines that the topic has.
World::Reachable World::reachable_lines() {
  Reachable reachable;
  for (auto& agent : agents_) {
    for (const auto& [path, inode] : files_.names()) {
      if (!followed(*agent, path)) continue;
      std::string bytes = inode->bytes;
      if (path.ends_with(".gz")) {
        auto gz = std::move(*Decompressor::create(Compression::kGzip, path));
        std::string plain(1 << 20, '\0');
        const auto done = gz->run(bytes, plain.data(), plain.size());
        bytes = plain.substr(0, done ? done->produced : 0);
      }
      for (std::size_t at = 0; at < bytes.size();) {
        const auto end = std::min(bytes.find('\n', at), bytes.size());
        auto line = bytes.substr(at, end - at);
        line.erase(0, std::min(line.find_first_not_of('\0'), line.size()));
        const auto site = line.substr(0, line.find(' '));
        if (site == kAlikeSite) ++reachable.alike;
        if (end < bytes.size()) reachable.sites.insert(site);
        at = end + 1;
      }
    }
  }
  if (!shape_.retention) reachable.sites.insert(foreign_.begin(), foreign_.end());
  return reachable;
}

// Every line that can still be read is counted once, or its bytes are in a gap. None is counted twice.
void World::check() {
  for (auto& aggregator : aggregators_) totals_.fenced += aggregator->engine->status().fenced;
  auto counted = counted_lines();
  for (const auto& [site, sums] : counted) {
    const auto line = writers_.lines().find(site);
    if (line == writers_.lines().end())
      throw Violation{fmt::format("{} was counted and never written", site)};
    if (sums.first > line->second.written)
      throw Violation{fmt::format("{} was written {} times and counted {} times", site, line->second.written,
                                  sums.first)};
    if (sums.second != sums.first * line->second.bytes_sent)
      throw Violation{fmt::format("{} was counted with {} bytes", site, sums.second)};
    totals_.counted += sums.first;
  }
  const auto [reachable, alike_reachable] = reachable_lines();
  std::uint64_t missing_bytes = 0, missing = 0;
  std::string example;
  for (const auto& [site, line] : writers_.lines()) {
    totals_.lines += line.written;
    if (site == kAlikeSite || counted.contains(site)) continue;
    if (!reachable.contains(site)) {
      ++totals_.excused_lines;
      continue;
    }
    ++missing;
    missing_bytes += line.line_bytes;
    if (example.empty()) example = site;
  }
  totals_.lost_lines += missing;
  auto gaps = database_->query("SELECT COALESCE(SUM(end_offset - begin_offset), 0) FROM source_gap", {});
  const auto gap_bytes = gaps ? static_cast<std::uint64_t>(number(gaps->front().front())) : 0;
  totals_.gap_bytes += gap_bytes;
  if (missing == 0 && !(shape_.look_alikes && !lost_messages_ && counted[kAlikeSite].first < alike_reachable))
    return;
  if (missing == 0) {
    throw Violation{
        fmt::format("the line that many files begin with is there {} times and was counted {} times",
                    alike_reachable, counted[kAlikeSite].first)};
  }
  if (!lost_messages_)
    throw Violation{fmt::format("{} lines can be read and were not counted, {} for one; {} bytes are in gaps",
                                missing, example, gap_bytes)};
  // Messages that the topic dropped before anyone read them are recorded by their offsets; their content is
  // unknown.
  auto gone =
      database_->query("SELECT COUNT(*) FROM dead_letter WHERE CAST(reason AS TEXT) LIKE '%are gone%'", {});
  if (shape_.retention && (never_seen_ || (gone && number(gone->front().front()) > 0))) return;
  if (gap_bytes < missing_bytes)
    throw Violation{fmt::format("{} lines of {} bytes are lost ({} for one) and {} bytes are in gaps",
                                missing, missing_bytes, example, gap_bytes)};
}

}  // namespace weir::sim
