// The ledger in SQL: partitions, sources, commits.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "aggregator/store/sql_row.h"
#include "aggregator/store/sql_rows.h"
#include "aggregator/store/sql_schema.h"
#include "aggregator/store/sql_store.h"
#include "aggregator/store/sql_text.h"
#include "proto/must.h"

namespace weir {
namespace {

constexpr std::int64_t kDeadLettersPerPartition = 1000;
constexpr std::size_t kMaxSampleBytes = 512;
constexpr std::size_t kMaxHostsKept = 100'000;

std::vector<SqlValue> key_of(const PartitionKey& partition) {
  return {partition.topic, std::int64_t{partition.partition}};
}

std::string cut_key(std::string_view text) { return std::string(text.substr(0, kMaxKeyBytes)); }

// The hosts of `windows` that are not in `known`.
std::set<std::string> new_hosts(const WindowDelta& windows, const std::set<std::string>& known) {
  std::set<std::string> hosts;
  const std::string* last = nullptr;  // the rows of a site are ordered by host
  for (const auto& [key, sum] : windows) {
    if (last != nullptr && *last == key.host) continue;
    last = &key.host;
    if (!known.contains(key.host)) hosts.insert(key.host);
  }
  return hosts;
}

std::unexpected<Error> taken_by_another(const PartitionKey& partition) {
  return fail(Code::kFenced, fmt::format("partition {} {}: another aggregator has taken it", partition.topic,
                                         partition.partition));
}

std::vector<SqlValue> values_of(const SourceState& s) {
  RowWriter out(tables::kSource);
  out << s.id.hex() << s.agent_id << s.instance << s.host << s.input << s.path << s.coverage.origin()
      << s.coverage.high_water() << s.lines << s.unparsed << s.too_long << s.filtered << s.first_seen_ms
      << s.last_seen_ms << s.version + 1;
  return out.take();
}

void check_commit(const Commit& commit) {
  MUST(commit.epoch > 0, "a commit has the epoch of the partition's owner");
  for (const auto& source : commit.sources)
    MUST(source.coverage.valid(), "the coverage of a source that is committed is valid");
  for (const auto& letter : commit.dead_letters)
    MUST(letter.partition == commit.partition, "a dead letter is of the partition of its commit");
}

}  // namespace

Result<void> SqlStore::migrate() {
  if (auto connected = session_->ready(); !connected) return connected;
  return migrate_schema(session_->db());
}

Result<int> SqlStore::schema_version() {
  const auto rows = session_->ask("SELECT value FROM meta WHERE name = ?", {std::string("schema_version")});
  if (!rows && (rows.error().code == Code::kUnavailable || rows.error().code == Code::kFull))
    return std::unexpected(rows.error());
  if (!rows || rows->empty()) {
    return fail(Code::kNotFound,
                fmt::format("store: it has no tables of weir ({})",
                            rows ? std::string("meta has no schema_version") : rows.error().what),
                "name the store that weir-aggregator writes, or start weir-aggregator once: it makes them");
  }
  int version = 0;
  RowReader in(rows->front());
  in >> version;
  if (auto read = in.end(); !read) return std::unexpected(read.error());
  return version;
}

Result<PartitionState> SqlStore::acquire(const PartitionKey& partition, std::string_view owner) {
  PartitionState state;
  const auto key = key_of(partition);
  auto done = session_->transaction([&]() -> Result<void> {
    state = {};
    auto raised = session_->run(
        "UPDATE partition_state SET epoch = epoch + 1, owner = ? WHERE topic = ? AND partition_id = ?",
        {cut_key(owner), key[0], key[1]});
    if (!raised) return raised;
    if (session_->db().affected_rows() == 0) {
      RowWriter row(tables::kPartition);
      row << partition.topic << partition.partition << owner << 1 /* epoch */ << -1 /* next_offset */
          << 0 /* commit_token */ << "" /* cluster_id */ << -1 /* leader_epoch */ << 0 /* dead_letters */;
      if (auto made = session_->run(insert_sql(tables::kPartition), row.take()); !made) return made;
    }
    auto rows = session_->db().query(
        "SELECT epoch, next_offset, cluster_id, leader_epoch FROM partition_state WHERE topic = ? AND "
        "partition_id = ?",
        key);
    if (!rows) return std::unexpected(rows.error());
    if (rows->empty()) return fail(Code::kCorrupt, "store: partition_state lost a row that was just written");
    RowReader in(rows->front());
    in >> state.epoch >> state.next_offset >> state.cluster_id >> state.leader_epoch;
    MUST(state.epoch > 0, "acquire() raises the epoch");
    return in.end();
  });
  if (!done) return std::unexpected(done.error());
  return state;
}

Result<std::vector<SourceState>> SqlStore::load_sources(const std::vector<SourceId>& ids) {
  static const auto select_source = select_sql(tables::kSource) + " WHERE id = ?";
  static const auto select_gaps = fmt::format(
      "SELECT {} FROM source_gap WHERE source_id = ? ORDER BY begin_offset", columns_sql(tables::kGap, 1));
  std::vector<SourceState> out;
  for (const auto& id : ids) {
    auto rows = session_->ask(select_source, {id.hex()});
    if (!rows) return std::unexpected(rows.error());
    if (rows->empty()) continue;
    StoredSource stored;
    RowReader in(rows->front());
    in >> stored;
    if (auto read = in.end(); !read) return std::unexpected(read.error());
    auto gap_rows = session_->db().query(select_gaps, {id.hex()});
    if (!gap_rows) return std::unexpected(gap_rows.error());
    std::vector<Gap> gaps(gap_rows->size());
    for (std::size_t i = 0; i < gaps.size(); ++i) {
      RowReader gap(gap_rows->at(i));
      gap >> gaps[i];
      if (auto read = gap.end(); !read) return std::unexpected(read.error());
    }
    auto state = with_gaps(std::move(stored), std::move(gaps));
    if (!state) return std::unexpected(state.error());
    out.push_back(std::move(*state));
  }
  return out;
}

Result<void> SqlStore::write_source(const SourceState& source) {
  const auto hex = source.id.hex();
  auto values = values_of(source);
  if (source.version == 0) {
    // If another aggregator inserted the row first, this fails with a duplicate key, which is kFenced.
    if (auto made = session_->run(insert_sql(tables::kSource), values); !made) return made;
  } else {
    static const auto update = update_sql(tables::kSource) +
                               " "
                               "WHERE id = ? AND version = ?";
    values.erase(values.begin());
    values.insert(values.end(), {hex, as_number(source.version)});
    if (auto set = session_->run(update, values); !set) return set;
    MUST(session_->db().affected_rows() <= 1, "a source has one row");
    if (session_->db().affected_rows() != 1) {
      return fail(
          Code::kFenced,
          fmt::format("source {}: another aggregator has counted lines of it from another partition", hex));
    }
  }
  if (auto cleared = session_->run("DELETE FROM source_gap WHERE source_id = ?", {hex}); !cleared)
    return cleared;
  for (const auto& gap : source.coverage.gaps()) {
    RowWriter row(tables::kGap);
    row << hex << gap.begin << gap.end << gap.cause << gap.since_ms;
    if (auto put = session_->run(insert_sql(tables::kGap), row.take()); !put) return put;
  }
  return {};
}

Result<void> SqlStore::write_agents(const std::vector<AgentState>& agents) {
  for (const auto& agent : agents) {
    auto known = session_->db().query("SELECT last_heartbeat_ms FROM agent WHERE agent_id = ?",
                                      {cut_key(agent.agent_id)});
    if (!known) return std::unexpected(known.error());
    if (!known->empty() && number(known->front().front()) > agent.last_heartbeat_ms) continue;
    RowWriter row(tables::kAgent);
    row << agent.agent_id << agent.host << agent.instance << agent.last_heartbeat_ms << agent.watermark_ms
        << agent.lag_bytes;
    if (auto put = session_->run(replace_sql(tables::kAgent), row.take()); !put) return put;
  }
  return {};
}

Result<void> SqlStore::write_names(const Table& table, const std::set<std::string>& names) {
  const std::vector<SqlValue> values(names.begin(), names.end());
  const auto rows_per_statement = session_->db().rows_per_statement();
  for (std::size_t at = 0; at < values.size(); at += rows_per_statement) {
    const auto rows = std::min(rows_per_statement, values.size() - at);
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(at);
    if (auto put =
            session_->run(replace_sql(table, rows), {first, first + static_cast<std::ptrdiff_t>(rows)});
        !put)
      return put;
  }
  return {};
}

Result<void> SqlStore::write_sites(const std::vector<std::string>& sites) {
  std::set<std::string> names;
  for (const auto& site : sites) names.insert(cut_key(site));
  return write_names(tables::kSite, names);
}

Result<void> SqlStore::write_hosts(const WindowDelta& windows) {
  return write_names(tables::kHost, new_hosts(windows, hosts_));
}

Result<void> SqlStore::write_dead_letters(const Commit& commit) {
  if (commit.dead_letters.empty()) return {};
  const auto key = key_of(commit.partition);
  for (const auto& letter : commit.dead_letters) {
    RowWriter row(tables::kDeadLetter);
    row << letter.partition.topic << letter.partition.partition << letter.offset << letter.line << letter.kind
        << letter.source << letter.reason << std::string_view(letter.text).substr(0, kMaxSampleBytes)
        << letter.seen_ms;
    if (auto put = session_->run(replace_sql(tables::kDeadLetter), row.take()); !put) return put;
  }
  auto last = session_->db().query(
      fmt::format("SELECT message_offset FROM dead_letter WHERE topic = ? AND partition_id = ? "
                  "ORDER BY message_offset DESC, line DESC LIMIT 1 OFFSET {}",
                  kDeadLettersPerPartition),
      key);
  if (!last) return std::unexpected(last.error());
  if (last->empty()) return {};
  return session_->run(
      "DELETE FROM dead_letter WHERE topic = ? AND partition_id = ? AND message_offset <= ? "
      "AND kind NOT IN (?, ?)",
      {key[0], key[1], last->front().front(), as_number(DeadLetterKind::kMessagesGone),
       as_number(DeadLetterKind::kOffsetGone)});
}

// The body of the transaction. The compare-and-set comes first: it fences, and it makes all writers take
// their locks in the same order.
Result<void> SqlStore::write_commit(const Commit& commit, std::int64_t token) {
  const auto key = key_of(commit.partition);
  auto set = session_->run(
      "UPDATE partition_state SET next_offset = ?, commit_token = ?, cluster_id = ?, leader_epoch = ?, "
      "dead_letters = dead_letters + ? "
      "WHERE topic = ? AND partition_id = ? AND epoch = ? AND next_offset = ?",
      {commit.next_offset, token, cut_key(commit.cluster_id), std::int64_t{commit.leader_epoch},
       as_number(commit.dead_letter_count), key[0], key[1], as_number(commit.epoch),
       commit.expected_next_offset});
  if (!set) return set;
  MUST(session_->db().affected_rows() <= 1, "a partition has one row");
  if (session_->db().affected_rows() != 1) return taken_by_another(commit.partition);
  if (auto windows = windows_.write(commit); !windows) return windows;
  auto sources = commit.sources;
  std::sort(sources.begin(), sources.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  for (const auto& source : sources) {
    if (auto written = write_source(source); !written) return written;
  }
  if (auto letters = write_dead_letters(commit); !letters) return letters;
  if (auto agents = write_agents(commit.agents); !agents) return agents;
  if (auto hosts = write_hosts(commit.windows); !hosts) return hosts;
  return write_sites(commit.new_sites);
}

Result<void> SqlStore::commit(const Commit& commit) {
  check_commit(commit);
  // Written with the offset, to tell a COMMIT that landed without an answer from one that did not land.
  const auto token = static_cast<std::int64_t>(random_() >> 1);
  for (int attempt = 1;; ++attempt) {
    bool unknown = false;
    auto done = session_->transaction([&] { return write_commit(commit, token); }, &unknown);
    if (done) {
      if (hosts_.size() > kMaxHostsKept) hosts_.clear();
      hosts_.merge(new_hosts(commit.windows, hosts_));
    }
    if (done || !unknown) return done;
    auto row =
        session_->ask("SELECT commit_token, epoch FROM partition_state WHERE topic = ? AND partition_id = ?",
                      key_of(commit.partition));
    // Still unknown: the caller retries the same commit, and gets kFenced if it had landed.
    if (!row) return fail(Code::kUnavailable, row.error().what, row.error().hint);
    if (!row->empty() && number(row->front()[0]) == token) return {};
    if (row->empty() || as_unsigned(row->front()[1]) != commit.epoch)
      return taken_by_another(commit.partition);
    // It did not land. Return to the caller, which has revocations to answer.
    if (attempt == kMaxAttempts) return done;
    session_->pause_after(attempt);
  }
}

Result<std::uint64_t> SqlStore::forget_sources(std::int64_t before_ms, std::int64_t with_gaps_before_ms,
                                               std::size_t max) {
  // Search outside the transaction, so that no commit waits for the search.
  auto rows = session_->ask(
      fmt::format("SELECT id, version FROM source WHERE last_seen_ms > 0 AND last_seen_ms < ? AND "
                  "(last_seen_ms < ? OR NOT EXISTS (SELECT 1 FROM source_gap WHERE source_id = id)) "
                  "LIMIT {}",
                  max),
      {before_ms, with_gaps_before_ms});
  if (!rows) return std::unexpected(rows.error());
  if (rows->empty()) return 0;
  // Lock in the order that commits use; otherwise the two could deadlock.
  std::sort(rows->begin(), rows->end());
  std::uint64_t forgotten = 0;
  auto done = session_->transaction([&]() -> Result<void> {
    forgotten = 0;
    for (const auto& row : *rows) {
      if (auto gone = session_->run("DELETE FROM source WHERE id = ? AND version = ?", row); !gone)
        return gone;
      if (session_->db().affected_rows() != 1) continue;
      ++forgotten;
      if (auto gone = session_->run("DELETE FROM source_gap WHERE source_id = ?", {row[0]}); !gone)
        return gone;
    }
    return {};
  });
  if (!done) return std::unexpected(done.error());
  return forgotten;
}

}  // namespace weir
