#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <random>
#include <set>
#include <thread>

#include "aggregator/store/sql_connection.h"
#include "aggregator/store/sql_schema.h"
#include "aggregator/store/sql_windows.h"

namespace weir {
namespace {

constexpr int kMaxAttempts = 10;  // of a transaction that a deadlock or a busy file rolled back
constexpr std::int64_t kDeadLettersPerPartition = 1000;
constexpr std::int64_t kTrafficSliceSeconds = 6 * 3600;  // what one statement reads

constexpr std::string_view kFirstWindow = "SELECT start_s FROM window_traffic ORDER BY start_s LIMIT 1";
constexpr std::string_view kDeadLetterColumns =
    "topic, partition_id, message_offset, line, source, reason, sample, seen_ms";
static_assert(kMessagesGone.size() == 10 && kOffsetGone.size() == 7);
constexpr std::string_view kSaysGone = "(SUBSTR(reason, 1, 10) = ? OR SUBSTR(reason, 1, 7) = ?)";

Result<std::vector<DeadLetter>> letters_of(const Result<std::vector<SqlRow>>& rows) {
  if (!rows) return std::unexpected(rows.error());
  std::vector<DeadLetter> out;
  for (const auto& row : *rows) {
    out.push_back({{text(row[0]), static_cast<std::int32_t>(number(row[1]))},
                   number(row[2]),
                   static_cast<std::uint32_t>(number(row[3])),
                   text(row[4]),
                   text(row[5]),
                   text(row[6]),
                   number(row[7])});
  }
  return out;
}

class SqlStore : public Store {
 public:
  SqlStore(std::unique_ptr<SqlConnection> connection, RetryPause pause)
      : db_(std::move(connection)), pause_(std::move(pause)), windows_(*db_) {}

  [[nodiscard]] Result<void> migrate() override {
    if (auto ready = ensure(); !ready) return ready;
    return migrate_schema(*db_);
  }
  [[nodiscard]] Result<int> schema_version() override;
  [[nodiscard]] Result<PartitionState> acquire(const PartitionKey& partition,
                                               std::string_view owner) override;
  [[nodiscard]] Result<std::vector<SourceState>> load_sources(const std::vector<SourceId>& ids) override;
  [[nodiscard]] Result<void> commit(const Commit& commit) override;
  [[nodiscard]] Result<std::vector<std::string>> sites() override {
    return names("SELECT name FROM site ORDER BY name");
  }
  [[nodiscard]] Result<std::vector<std::string>> hosts() override {
    return names("SELECT DISTINCT host FROM window_traffic ORDER BY host");
  }
  [[nodiscard]] Result<std::vector<TrafficRow>> traffic(const TrafficQuery& query,
                                                        std::size_t max_rows) override;
  [[nodiscard]] Result<std::optional<Span>> traffic_span() override;
  [[nodiscard]] Result<std::vector<SourceState>> all_sources(std::size_t max_rows) override;
  [[nodiscard]] Result<GapBytes> gap_bytes() override;
  [[nodiscard]] Result<std::vector<AgentState>> agents() override;
  [[nodiscard]] Result<DeadLetters> dead_letters(std::size_t max_rows) override;
  [[nodiscard]] Result<std::vector<DeadLetter>> lost_offsets(std::size_t max_rows) override;
  [[nodiscard]] Result<std::uint64_t> forget_sources(std::int64_t before_ms, std::int64_t with_gaps_before_ms,
                                                     std::size_t max) override;
  [[nodiscard]] Result<std::vector<AlertState>> alerts() override;
  [[nodiscard]] Result<void> save_alerts(const std::vector<AlertState>& states,
                                         const std::vector<OutboxMail>& mails) override;
  [[nodiscard]] Result<std::vector<OutboxMail>> claim_mails(std::int64_t now_ms, std::int64_t lease_ms,
                                                            std::size_t max_mails) override;
  [[nodiscard]] Result<void> mail_delivered(std::int64_t id) override;
  [[nodiscard]] Result<void> mail_failed(std::int64_t id, std::int64_t next_try_ms,
                                         std::string_view error) override;
  [[nodiscard]] Result<std::uint64_t> mails_waiting() override;

 private:
  using Rows = Result<std::vector<SqlRow>>;
  Result<void> ensure() {
    if (db_->connected() && !doubtful_) return {};
    doubtful_ = false;
    return db_->connect();
  }
  Rows ask(std::string_view sql, const std::vector<SqlValue>& parameters = {}) {
    if (auto ready = ensure(); !ready) return std::unexpected(ready.error());
    return db_->query(sql, parameters);
  }
  Result<void> run(std::string_view sql, const std::vector<SqlValue>& parameters = {}) {
    auto rows = db_->query(sql, parameters);
    if (!rows) return std::unexpected(rows.error());
    return {};
  }
  // Begins, calls body, commits; from the start again when the database rolled it back.
  template <class Body>
  Result<void> transaction(Body body, bool* commit_unknown = nullptr) {
    if (auto ready = ensure(); !ready) return ready;
    for (int attempt = 1;; ++attempt) {
      auto done = run(db_->begin_sql());
      if (!done && attempt == 1 && !db_->connected()) {
        // The server had closed the idle connection. Nothing has begun: once more on a fresh one.
        if (auto ready = ensure(); !ready) return ready;
        done = run(db_->begin_sql());
      }
      bool committing = false;
      if (done) done = body();
      if (done) {
        committing = true;
        done = run("COMMIT");
      }
      if (done) return {};
      if (committing && commit_unknown != nullptr) *commit_unknown = done.error().code == Code::kUnavailable;
      // A transaction that may still be open would be committed by MySQL's next START TRANSACTION.
      if (db_->connected() && !run("ROLLBACK")) doubtful_ = true;
      if (done.error().code != Code::kFull) return done;
      if (attempt == kMaxAttempts || doubtful_ || !db_->connected())
        return fail(Code::kUnavailable, done.error().what, done.error().hint);
      pause_(std::chrono::milliseconds(attempt * 5));
    }
  }
  Result<std::vector<std::string>> names(std::string_view sql);
  Result<void> write_sources(const std::vector<SourceState>& sources);
  Result<void> write_sites(const std::vector<std::string>& sites);
  Result<void> write_dead_letters(const Commit& commit);

  std::unique_ptr<SqlConnection> db_;
  RetryPause pause_;
  SqlWindows windows_;
  bool doubtful_ = false;  // what is open on the connection is not known: it is made anew
  std::mt19937_64 random_{std::random_device{}()};
};

Result<int> SqlStore::schema_version() {
  const auto rows = ask("SELECT value FROM meta WHERE name = ?", {std::string("schema_version")});
  if (!rows && (rows.error().code == Code::kUnavailable || rows.error().code == Code::kFull))
    return std::unexpected(rows.error());
  if (!rows || rows->empty()) {
    return fail(Code::kNotFound,
                fmt::format("store: it has no tables of weir ({})",
                            rows ? std::string("meta has no schema_version") : rows.error().what),
                "name the store that weir-aggregator writes, or start weir-aggregator once: it makes them");
  }
  return static_cast<int>(number(rows->front().front()));
}

Result<PartitionState> SqlStore::acquire(const PartitionKey& partition, std::string_view owner) {
  PartitionState state;
  const std::vector<SqlValue> key = {partition.topic, std::int64_t{partition.partition}};
  auto done = transaction([&]() -> Result<void> {
    state = {};
    auto raised = db_->query(
        "UPDATE partition_state SET epoch = epoch + 1, owner = ? WHERE topic = ? AND partition_id = ?",
        {std::string(owner.substr(0, kMaxKeyBytes)), key[0], key[1]});
    if (!raised) return std::unexpected(raised.error());
    if (db_->affected_rows() == 0) {
      auto made = run("INSERT INTO partition_state VALUES (?, ?, ?, 1, -1, 0, ?, -1, 0)",
                      {key[0], key[1], std::string(owner.substr(0, kMaxKeyBytes)), std::string()});
      if (!made) return made;
    }
    auto rows = db_->query(
        "SELECT epoch, next_offset, cluster_id, leader_epoch FROM partition_state WHERE topic = ? AND "
        "partition_id = ?",
        key);
    if (!rows) return std::unexpected(rows.error());
    const auto& row = rows->front();
    state.epoch = as_unsigned(row[0]);
    state.next_offset = number(row[1]);
    state.cluster_id = text(row[2]);
    state.leader_epoch = static_cast<std::int32_t>(number(row[3]));
    return {};
  });
  if (!done) return std::unexpected(done.error());
  return state;
}

constexpr std::string_view kSourceColumns =
    "id, agent_id, instance, host, input, path, origin, high_water, line_count, unparsed, too_long, "
    "filtered, first_seen_ms, last_seen_ms, version";

Gap gap_of(const SqlRow& row, std::size_t at) {
  return {as_unsigned(row[at]), as_unsigned(row[at + 1]), loss_cause_of(as_unsigned(row[at + 2])),
          number(row[at + 3])};
}

Result<SourceState> source_of(const SqlRow& row, std::vector<Gap> gaps) {
  auto id = SourceId::from_hex(text(row[0]));
  if (!id) return std::unexpected(id.error());
  SourceState state;
  state.id = *id;
  state.coverage = Coverage(as_unsigned(row[6]), as_unsigned(row[7]), std::move(gaps));
  if (!state.coverage.valid())
    return fail(Code::kCorrupt,
                fmt::format("store: the coverage of source {} contradicts itself", text(row[0])),
                "restore the tables source and source_gap from a backup");
  state.agent_id = text(row[1]);
  state.instance = as_unsigned(row[2]);
  state.host = text(row[3]);
  state.input = text(row[4]);
  state.path = text(row[5]);
  state.lines = as_unsigned(row[8]);
  state.unparsed = as_unsigned(row[9]);
  state.too_long = as_unsigned(row[10]);
  state.filtered = as_unsigned(row[11]);
  state.first_seen_ms = number(row[12]);
  state.last_seen_ms = number(row[13]);
  state.version = as_unsigned(row[14]);
  return state;
}
constexpr std::size_t kSourceColumnCount = 15;

Result<std::vector<SourceState>> SqlStore::load_sources(const std::vector<SourceId>& ids) {
  std::vector<SourceState> out;
  for (const auto& id : ids) {
    auto rows = ask(fmt::format("SELECT {} FROM source WHERE id = ?", kSourceColumns), {id.hex()});
    if (!rows) return std::unexpected(rows.error());
    if (rows->empty()) continue;
    auto gaps = db_->query(
        "SELECT begin_offset, end_offset, cause, since_ms FROM source_gap WHERE source_id = ? ORDER BY "
        "begin_offset",
        {id.hex()});
    if (!gaps) return std::unexpected(gaps.error());
    std::vector<Gap> ranges;
    for (const auto& gap : *gaps) ranges.push_back(gap_of(gap, 0));
    auto state = source_of(rows->front(), std::move(ranges));
    if (!state) return std::unexpected(state.error());
    out.push_back(std::move(*state));
  }
  return out;
}

Result<std::vector<SourceState>> SqlStore::all_sources(std::size_t max_rows) {
  // One statement: a commit between two would show gaps above the high-water mark.
  auto rows =
      ask(fmt::format("SELECT {0}, begin_offset, end_offset, cause, since_ms FROM "
                      "(SELECT {0} FROM source ORDER BY last_seen_ms DESC, id LIMIT {1}) newest "
                      "LEFT JOIN source_gap ON source_id = id ORDER BY last_seen_ms DESC, id, begin_offset",
                      kSourceColumns, max_rows));
  if (!rows) return std::unexpected(rows.error());
  std::vector<SourceState> out;
  for (std::size_t at = 0; at < rows->size();) {
    const auto& row = (*rows)[at];
    std::vector<Gap> gaps;
    for (; at < rows->size() && (*rows)[at][0] == row[0]; ++at) {
      // Without gaps a source has one row of NULLs, which read as 0; no gap is empty.
      if (const auto gap = gap_of((*rows)[at], kSourceColumnCount); !gap.empty()) gaps.push_back(gap);
    }
    auto state = source_of(row, std::move(gaps));
    if (!state) return std::unexpected(state.error());
    out.push_back(std::move(*state));
  }
  return out;
}

Result<GapBytes> SqlStore::gap_bytes() {
  auto rows = ask("SELECT cause, SUM(end_offset - begin_offset) FROM source_gap GROUP BY cause");
  if (!rows) return std::unexpected(rows.error());
  GapBytes sums;
  for (const auto& row : *rows) sums[loss_cause_of(as_unsigned(row[0]))] += as_unsigned(row[1]);
  return sums;
}

Result<void> SqlStore::write_sources(const std::vector<SourceState>& sources) {
  auto sorted = sources;
  std::sort(sorted.begin(), sorted.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  for (const auto& s : sorted) {
    const auto hex = s.id.hex();
    const std::vector<SqlValue> values = {s.agent_id.substr(0, kMaxKeyBytes),
                                          as_number(s.instance),
                                          s.host.substr(0, kMaxKeyBytes),
                                          s.input,
                                          s.path,
                                          as_number(s.coverage.origin()),
                                          as_number(s.coverage.high_water()),
                                          as_number(s.lines),
                                          as_number(s.unparsed),
                                          as_number(s.too_long),
                                          as_number(s.filtered),
                                          s.first_seen_ms,
                                          s.last_seen_ms,
                                          as_number(s.version + 1)};
    auto parameters = values;
    if (s.version == 0) {
      // Another aggregator that was first makes this a duplicate key, which is kFenced.
      parameters.insert(parameters.begin(), hex);
      auto made =
          run(fmt::format("INSERT INTO source({}) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)", kSourceColumns),
              parameters);
      if (!made) return made;
    } else {
      parameters.insert(parameters.end(), {hex, as_number(s.version)});
      auto set =
          run("UPDATE source SET agent_id = ?, instance = ?, host = ?, input = ?, path = ?, origin = ?, "
              "high_water = ?, "
              "line_count = ?, unparsed = ?, too_long = ?, filtered = ?, first_seen_ms = ?, last_seen_ms = "
              "?, version = ? "
              "WHERE id = ? AND version = ?",
              parameters);
      if (!set) return set;
      if (db_->affected_rows() != 1) {
        return fail(
            Code::kFenced,
            fmt::format("source {}: another aggregator has counted of it from another partition", hex));
      }
    }
    if (auto cleared = run("DELETE FROM source_gap WHERE source_id = ?", {hex}); !cleared) return cleared;
    for (const auto& gap : s.coverage.gaps()) {
      if (auto put = run("INSERT INTO source_gap(source_id, begin_offset, end_offset, cause, since_ms) "
                         "VALUES (?,?,?,?,?)",
                         {hex, as_number(gap.begin), as_number(gap.end),
                          std::int64_t{static_cast<int>(gap.cause)}, gap.since_ms});
          !put)
        return put;
    }
  }
  return {};
}

Result<void> SqlStore::write_sites(const std::vector<std::string>& sites) {
  std::set<std::string> sorted;
  for (const auto& site : sites) sorted.insert(site.substr(0, kMaxKeyBytes));
  const std::vector<SqlValue> values(sorted.begin(), sorted.end());
  const auto rows_per_statement = db_->rows_per_statement();
  for (std::size_t at = 0; at < values.size(); at += rows_per_statement) {
    const auto rows = std::min(rows_per_statement, values.size() - at);
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(at);
    if (auto put = run(fmt::format("REPLACE INTO site VALUES {}", repeated("(?)", rows, ",")),
                       {first, first + static_cast<std::ptrdiff_t>(rows)});
        !put)
      return put;
  }
  return {};
}

Result<void> SqlStore::write_dead_letters(const Commit& commit) {
  if (commit.dead_letters.empty()) return {};
  const std::vector<SqlValue> key = {commit.partition.topic, std::int64_t{commit.partition.partition}};
  for (const auto& letter : commit.dead_letters) {
    auto put = run("REPLACE INTO dead_letter VALUES (?,?,?,?,?,?,?,?)",
                   {letter.partition.topic, std::int64_t{letter.partition.partition}, letter.offset,
                    std::int64_t{letter.line}, letter.source, letter.reason, letter.text.substr(0, 512),
                    letter.seen_ms});
    if (!put) return put;
  }
  auto last =
      db_->query(fmt::format("SELECT message_offset FROM dead_letter WHERE topic = ? AND partition_id = ? "
                             "ORDER BY message_offset DESC, line DESC LIMIT 1 OFFSET {}",
                             kDeadLettersPerPartition),
                 key);
  if (!last) return std::unexpected(last.error());
  if (last->empty()) return {};
  return run(
      fmt::format("DELETE FROM dead_letter WHERE topic = ? AND partition_id = ? AND message_offset <= ? "
                  "AND NOT {}",
                  kSaysGone),
      {key[0], key[1], last->front().front(), std::string(kMessagesGone), std::string(kOffsetGone)});
}

Result<void> SqlStore::commit(const Commit& commit) {
  const std::vector<SqlValue> key = {commit.partition.topic, std::int64_t{commit.partition.partition}};
  // Written with the offset, so that a COMMIT whose answer was lost can be told from one that was not done.
  const auto token = static_cast<std::int64_t>(random_() >> 1);
  for (int attempt = 1;; ++attempt) {
    bool unknown = false;
    auto done = transaction(
        [&]() -> Result<void> {
          auto set = db_->query(
              "UPDATE partition_state SET next_offset = ?, commit_token = ?, cluster_id = ?, leader_epoch = "
              "?, dead_letters = dead_letters + ? "
              "WHERE topic = ? AND partition_id = ? AND epoch = ? AND next_offset = ?",
              {commit.next_offset, token, commit.cluster_id, std::int64_t{commit.leader_epoch},
               as_number(commit.dead_letter_count), key[0], key[1], as_number(commit.epoch),
               commit.expected_next_offset});
          if (!set) return std::unexpected(set.error());
          if (db_->affected_rows() != 1)
            return fail(Code::kFenced, fmt::format("partition {} {}: another aggregator has taken it",
                                                   commit.partition.topic, commit.partition.partition));
          if (auto windows = windows_.write(commit); !windows) return windows;
          if (auto sources = write_sources(commit.sources); !sources) return sources;
          if (auto letters = write_dead_letters(commit); !letters) return letters;
          for (const auto& agent : commit.agents) {
            auto known = db_->query("SELECT last_heartbeat_ms FROM agent WHERE agent_id = ?",
                                    {agent.agent_id.substr(0, kMaxKeyBytes)});
            if (!known) return std::unexpected(known.error());
            if (!known->empty() && number(known->front().front()) > agent.last_heartbeat_ms) continue;
            auto put = run("REPLACE INTO agent VALUES (?,?,?,?,?,?)",
                           {agent.agent_id.substr(0, kMaxKeyBytes), agent.host.substr(0, kMaxKeyBytes),
                            as_number(agent.instance), agent.last_heartbeat_ms, agent.watermark_ms,
                            as_number(agent.lag_bytes)});
            if (!put) return put;
          }
          return write_sites(commit.new_sites);
        },
        &unknown);
    if (done || !unknown) return done;
    auto row =
        ask("SELECT commit_token, epoch FROM partition_state WHERE topic = ? AND partition_id = ?", key);
    // Still unknown: the caller tries the same commit again, and is answered kFenced if it had landed.
    if (!row) return fail(Code::kUnavailable, row.error().what, row.error().hint);
    if (!row->empty() && number(row->front()[0]) == token) return {};
    if (row->empty() || as_unsigned(row->front()[1]) != commit.epoch)
      return fail(Code::kFenced, fmt::format("partition {} {}: another aggregator has taken it",
                                             commit.partition.topic, commit.partition.partition));
    // It did not land. The caller must get its turn: it answers revocations.
    if (attempt == kMaxAttempts) return done;
    pause_(std::chrono::milliseconds(attempt * 5));
  }
}

Result<std::vector<std::string>> SqlStore::names(std::string_view sql) {
  auto rows = ask(sql);
  if (!rows) return std::unexpected(rows.error());
  std::vector<std::string> out;
  for (const auto& row : *rows) out.push_back(text(row[0]));
  return out;
}

Result<std::vector<TrafficRow>> SqlStore::traffic(const TrafficQuery& query, std::size_t max_rows) {
  using Key = std::tuple<std::int64_t, std::string, std::string, std::uint16_t>;
  std::map<Key, WindowSum> groups;
  std::optional<std::int64_t> first;
  auto from = query.from_s.value_or(std::numeric_limits<std::int64_t>::min());
  const auto to = query.to_s.value_or(std::numeric_limits<std::int64_t>::max());
  for (;;) {
    // From one slice of time that has rows to the next, so that what is held at once is bounded.
    auto next =
        ask("SELECT start_s FROM window_traffic WHERE start_s >= ? AND start_s < ? ORDER BY start_s LIMIT 1",
            {from, to});
    if (!next) return std::unexpected(next.error());
    if (next->empty()) break;
    const auto begin = number(next->front().front());
    const auto end = std::min(to, begin + kTrafficSliceSeconds);
    if (!first) first = begin;
    std::string sql =
        "SELECT start_s, site, host, status, requests, bytes_sent, flow_bytes, request_bytes, "
        "request_time_ms, upstream_time_ms, latency FROM window_traffic WHERE start_s >= ? AND start_s < ?";
    std::vector<SqlValue> parameters = {begin, end};
    if (query.site) {
      sql += " AND site = ?";
      parameters.emplace_back(*query.site);
    }
    if (query.host) {
      sql += " AND host = ?";
      parameters.emplace_back(*query.host);
    }
    const auto add = [&](const SqlRow& row) -> Result<void> {
      auto sum = sum_of(row, 4);
      if (!sum) return std::unexpected(sum.error());
      auto start = number(row[0]);
      start = query.step_s <= 0 ? *first : start - ((start % query.step_s) + query.step_s) % query.step_s;
      groups[{start, query.by_site ? text(row[1]) : "", query.by_host ? text(row[2]) : "",
              query.by_status ? static_cast<std::uint16_t>(number(row[3])) : std::uint16_t{0}}]
          .merge(*sum);
      if (groups.size() > max_rows)
        return fail(Code::kFull, fmt::format("more than {} rows", max_rows),
                    "choose a larger step, a shorter time, or one site");
      return {};
    };
    if (auto done = db_->each_row(sql, parameters, add); !done) return std::unexpected(done.error());
    from = end;
  }
  std::vector<TrafficRow> out;
  out.reserve(groups.size());
  for (auto& [key, sum] : groups)
    out.push_back({std::get<0>(key), std::get<1>(key), std::get<2>(key), std::get<3>(key), std::move(sum)});
  return out;
}

Result<std::optional<Store::Span>> SqlStore::traffic_span() {
  const auto first = ask(kFirstWindow);
  if (!first) return std::unexpected(first.error());
  const auto last = ask(kLastWindow);
  if (!last) return std::unexpected(last.error());
  if (first->empty() || last->empty()) return std::nullopt;
  return Span{number(first->front().front()), number(last->front().front())};
}

Result<std::vector<AgentState>> SqlStore::agents() {
  auto rows =
      ask("SELECT agent_id, host, instance, last_heartbeat_ms, watermark_ms, lag_bytes FROM agent ORDER BY "
          "agent_id");
  if (!rows) return std::unexpected(rows.error());
  std::vector<AgentState> out;
  for (const auto& row : *rows)
    out.push_back({text(row[0]), text(row[1]), as_unsigned(row[2]), number(row[3]), number(row[4]),
                   as_unsigned(row[5])});
  return out;
}

Result<Store::DeadLetters> SqlStore::dead_letters(std::size_t max_rows) {
  DeadLetters out;
  auto counts = ask("SELECT dead_letters FROM partition_state");
  if (!counts) return std::unexpected(counts.error());
  for (const auto& row : *counts) out.total += as_unsigned(row[0]);
  auto letters =
      letters_of(ask(fmt::format("SELECT {} FROM dead_letter ORDER BY seen_ms DESC, message_offset "
                                 "DESC, line LIMIT {}",
                                 kDeadLetterColumns, max_rows)));
  if (!letters) return std::unexpected(letters.error());
  out.newest = std::move(*letters);
  return out;
}

Result<std::vector<DeadLetter>> SqlStore::lost_offsets(std::size_t max_rows) {
  return letters_of(ask(fmt::format("SELECT {} FROM dead_letter WHERE {} ORDER BY seen_ms DESC, topic, "
                                    "partition_id, message_offset DESC, line LIMIT {}",
                                    kDeadLetterColumns, kSaysGone, max_rows),
                        {std::string(kMessagesGone), std::string(kOffsetGone)}));
}

Result<std::uint64_t> SqlStore::forget_sources(std::int64_t before_ms, std::int64_t with_gaps_before_ms,
                                               std::size_t max) {
  // Looked for outside of the transaction, so that no commit waits for the search.
  auto rows =
      ask(fmt::format("SELECT id, version FROM source WHERE last_seen_ms > 0 AND last_seen_ms < ? AND "
                      "(last_seen_ms < ? OR NOT EXISTS (SELECT 1 FROM source_gap WHERE source_id = id)) "
                      "LIMIT {}",
                      max),
          {before_ms, with_gaps_before_ms});
  if (!rows) return std::unexpected(rows.error());
  if (rows->empty()) return 0;
  // As a commit has them, or the two would lock each other out.
  std::sort(rows->begin(), rows->end());
  std::uint64_t forgotten = 0;
  auto done = transaction([&]() -> Result<void> {
    forgotten = 0;
    for (const auto& row : *rows) {
      if (auto gone = run("DELETE FROM source WHERE id = ? AND version = ?", row); !gone) return gone;
      if (db_->affected_rows() != 1) continue;
      ++forgotten;
      if (auto gone = run("DELETE FROM source_gap WHERE source_id = ?", {row[0]}); !gone) return gone;
    }
    return {};
  });
  if (!done) return std::unexpected(done.error());
  return forgotten;
}

Result<std::vector<AlertState>> SqlStore::alerts() {
  auto rows =
      ask("SELECT rule_name, subject, state, since_s, value_text FROM alert ORDER BY rule_name, subject");
  if (!rows) return std::unexpected(rows.error());
  std::vector<AlertState> out;
  for (const auto& row : *rows)
    out.push_back({text(row[0]), text(row[1]), text(row[2]), number(row[3]),
                   std::strtod(text(row[4]).c_str(), nullptr)});
  return out;
}

Result<void> SqlStore::save_alerts(const std::vector<AlertState>& states,
                                   const std::vector<OutboxMail>& mails) {
  return transaction([&]() -> Result<void> {
    for (const auto& alert : states) {
      auto put = run("REPLACE INTO alert VALUES (?,?,?,?,?)",
                     {alert.rule.substr(0, kMaxKeyBytes), alert.subject.substr(0, kMaxKeyBytes), alert.state,
                      alert.since_s, fmt::format("{}", alert.value)});
      if (!put) return put;
    }
    for (const auto& mail : mails) {
      if (auto raised =
              run("UPDATE meta SET value = value + 1 WHERE name = ?", {std::string("last_mail_id")});
          !raised)
        return raised;
      auto id = db_->query("SELECT value FROM meta WHERE name = ?", {std::string("last_mail_id")});
      if (!id) return std::unexpected(id.error());
      auto put = run("INSERT INTO outbox VALUES (?,?,?,?,?,?,?,?)",
                     {id->front().front(), mail.to, mail.subject, mail.body, mail.created_ms,
                      mail.next_try_ms, std::int64_t{mail.attempts}, mail.last_error});
      if (!put) return put;
    }
    return {};
  });
}

Result<std::vector<OutboxMail>> SqlStore::claim_mails(std::int64_t now_ms, std::int64_t lease_ms,
                                                      std::size_t max_mails) {
  auto rows = ask(fmt::format("SELECT id, mail_to, subject, body, created_ms, next_try_ms, attempts, "
                              "last_error FROM outbox WHERE next_try_ms <= ? ORDER BY id LIMIT {}",
                              max_mails),
                  {now_ms});
  if (!rows) return std::unexpected(rows.error());
  std::vector<OutboxMail> out;
  for (const auto& row : *rows) {
    // Whoever moves next_try_ms on has the mail; another mailer's update then matches nothing.
    auto claimed = ask("UPDATE outbox SET next_try_ms = ? WHERE id = ? AND next_try_ms = ?",
                       {now_ms + lease_ms, row[0], row[5]});
    if (!claimed) return std::unexpected(claimed.error());
    if (db_->affected_rows() != 1) continue;
    out.push_back({number(row[0]), text(row[1]), text(row[2]), text(row[3]), number(row[4]),
                   now_ms + lease_ms, static_cast<std::uint32_t>(number(row[6])), text(row[7])});
  }
  return out;
}

Result<void> SqlStore::mail_delivered(std::int64_t id) {
  auto done = ask("DELETE FROM outbox WHERE id = ?", {id});
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<void> SqlStore::mail_failed(std::int64_t id, std::int64_t next_try_ms, std::string_view error) {
  auto done = ask("UPDATE outbox SET next_try_ms = ?, attempts = attempts + 1, last_error = ? WHERE id = ?",
                  {next_try_ms, std::string(error.substr(0, 1000)), id});
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<std::uint64_t> SqlStore::mails_waiting() {
  auto rows = ask("SELECT COUNT(*) FROM outbox");
  if (!rows) return std::unexpected(rows.error());
  return as_unsigned(rows->front().front());
}

}  // namespace

void sleep_for(std::chrono::milliseconds pause) { std::this_thread::sleep_for(pause); }

std::unique_ptr<Store> make_sql_store(std::unique_ptr<SqlConnection> connection, RetryPause pause) {
  return std::make_unique<SqlStore>(std::move(connection), std::move(pause));
}

}  // namespace weir
