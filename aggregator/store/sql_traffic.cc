// The readers' queries, in SQL.
#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>
#include <tuple>

#include "aggregator/store/sql_row.h"
#include "aggregator/store/sql_rows.h"
#include "aggregator/store/sql_store.h"
#include "aggregator/store/sql_text.h"

namespace weir {
namespace {

constexpr std::int64_t kTrafficSliceSeconds = 6 * 3600;  // how much one statement reads

constexpr std::string_view kFirstWindow = "SELECT start_s FROM window_traffic ORDER BY start_s LIMIT 1";
constexpr std::string_view kNextWindow =
    "SELECT start_s FROM window_traffic WHERE start_s >= ? AND start_s < ? ORDER BY start_s LIMIT 1";

// The number of a one-column row; nullopt without a row.
Result<std::optional<std::int64_t>> number_of(const SqlSession::Rows& rows) {
  if (!rows) return std::unexpected(rows.error());
  if (rows->empty()) return std::nullopt;
  std::int64_t value = 0;
  RowReader in(rows->front());
  in >> value;
  if (auto read = in.end(); !read) return std::unexpected(read.error());
  return value;
}

Result<std::vector<std::string>> names_of(const SqlSession::Rows& rows) {
  if (!rows) return std::unexpected(rows.error());
  std::vector<std::string> out(rows->size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    RowReader in(rows->at(i));
    in >> out[i];
    if (auto read = in.end(); !read) return std::unexpected(read.error());
  }
  return out;
}

Result<std::vector<DeadLetter>> letters_of(const SqlSession::Rows& rows) {
  if (!rows) return std::unexpected(rows.error());
  std::vector<DeadLetter> out(rows->size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    DeadLetter& letter = out[i];
    RowReader in(rows->at(i));
    in >> letter.partition.topic >> letter.partition.partition >> letter.offset >> letter.line >>
        letter.kind >> letter.source >> letter.reason >> letter.text >> letter.seen_ms;
    if (auto read = in.end(); !read) return std::unexpected(read.error());
  }
  return out;
}

// Sums rows of window_traffic into the groups of a query.
class Groups {
 public:
  Groups(const TrafficQuery& query, std::int64_t first_s, std::size_t max_rows)
      : query_(query), first_s_(first_s), max_rows_(max_rows) {}

  [[nodiscard]] Result<void> add(const SqlRow& row) {
    WindowKey key;
    StoredSum stored;
    RowReader in(row);
    in >> key.start_s >> key.site >> key.host >> key.status >> stored;
    if (auto read = in.end(); !read) return read;
    auto sum = with_latency(std::move(stored));
    if (!sum) return std::unexpected(sum.error());
    key.start_s = step_of(key.start_s);
    if (!query_.by_site) key.site.clear();
    if (!query_.by_host) key.host.clear();
    if (!query_.by_status) key.status = 0;
    sums_[std::move(key)].merge(*sum);
    if (sums_.size() > max_rows_)
      return fail(Code::kFull, fmt::format("more than {} rows", max_rows_),
                  "choose a larger step, a shorter time, or one site");
    return {};
  }

  [[nodiscard]] std::vector<TrafficRow> take() {
    std::vector<TrafficRow> out;
    out.reserve(sums_.size());
    for (auto& [key, sum] : sums_)
      out.push_back({key.start_s, key.site, key.host, key.status, std::move(sum)});
    return out;
  }

 private:
  [[nodiscard]] std::int64_t step_of(std::int64_t start_s) const {
    if (query_.step_s <= 0) return first_s_;
    return start_s - ((start_s % query_.step_s) + query_.step_s) % query_.step_s;
  }

  const TrafficQuery& query_;
  std::int64_t first_s_;
  std::size_t max_rows_;
  std::map<WindowKey, WindowSum> sums_;
};

}  // namespace

Result<std::vector<std::string>> SqlStore::sites() const {
  return names_of(session_->ask(select_sql(tables::kSite) + " ORDER BY name"));
}

Result<std::vector<std::string>> SqlStore::hosts() const {
  return names_of(session_->ask(select_sql(tables::kHost) + " ORDER BY name"));
}

Result<std::vector<TrafficRow>> SqlStore::traffic(const TrafficQuery& query, std::size_t max_rows) const {
  auto from = query.from_s.value_or(std::numeric_limits<std::int64_t>::min());
  const auto to = query.to_s.value_or(std::numeric_limits<std::int64_t>::max());
  std::string sql = fmt::format(
      "SELECT start_s, site, host, status, {} FROM window_traffic WHERE start_s >= ? AND start_s < ?",
      columns_sql(tables::kWindow, kWindowKeyColumns));
  std::vector<SqlValue> parameters(2);
  for (const auto& [column, wanted] : {std::pair{"site", &query.site}, {"host", &query.host}}) {
    if (!*wanted) continue;
    sql += fmt::format(" AND {} = ?", column);
    parameters.emplace_back(**wanted);
  }
  std::optional<Groups> groups;
  for (;;) {
    // Go from one slice of time that has rows to the next, so that the rows held at once are bounded.
    const auto begin = number_of(session_->ask(kNextWindow, {from, to}));
    if (!begin) return std::unexpected(begin.error());
    if (!*begin) break;
    if (!groups) groups.emplace(query, **begin, max_rows);
    const auto end = std::min(to, **begin + kTrafficSliceSeconds);
    parameters[0] = **begin;
    parameters[1] = end;
    auto done =
        session_->db().each_row(sql, parameters, [&groups](const SqlRow& row) { return groups->add(row); });
    if (!done) return std::unexpected(done.error());
    from = end;
  }
  return groups ? groups->take() : std::vector<TrafficRow>{};
}

Result<std::optional<Traffic::Span>> SqlStore::traffic_span() const {
  const auto first = number_of(session_->ask(kFirstWindow));
  if (!first) return std::unexpected(first.error());
  const auto last = number_of(session_->ask(kLastWindow));
  if (!last) return std::unexpected(last.error());
  if (!*first || !*last) return std::nullopt;
  return Span{**first, **last};
}

Result<std::vector<SourceState>> SqlStore::all_sources(std::size_t max_rows) const {
  // One statement: a commit between two statements would show gaps above the high-water mark.
  auto rows = session_->ask(fmt::format(
      "SELECT {0}, {1} FROM (SELECT {0} FROM source ORDER BY last_seen_ms DESC, id LIMIT {2}) newest "
      "LEFT JOIN source_gap ON source_id = id ORDER BY last_seen_ms DESC, id, begin_offset",
      columns_sql(tables::kSource), columns_sql(tables::kGap, 1), max_rows));
  if (!rows) return std::unexpected(rows.error());
  std::vector<SourceState> out;
  for (std::size_t at = 0; at < rows->size();) {
    const SqlValue id = (*rows)[at][0];
    StoredSource stored;
    std::vector<Gap> gaps;
    for (; at < rows->size() && (*rows)[at][0] == id; ++at) {
      Gap gap;
      RowReader in((*rows)[at]);
      in >> stored >> gap;
      if (auto read = in.end(); !read) return std::unexpected(read.error());
      // A source without gaps yields one row of NULLs, which read as 0; a real gap is never empty.
      if (!gap.empty()) gaps.push_back(gap);
    }
    auto state = with_gaps(std::move(stored), std::move(gaps));
    if (!state) return std::unexpected(state.error());
    out.push_back(std::move(*state));
  }
  return out;
}

Result<GapBytes> SqlStore::gap_bytes() const {
  auto rows = session_->ask("SELECT cause, SUM(end_offset - begin_offset) FROM source_gap GROUP BY cause");
  if (!rows) return std::unexpected(rows.error());
  GapBytes sums;
  for (const auto& row : *rows) {
    std::uint64_t cause = 0, bytes = 0;
    RowReader in(row);
    in >> cause >> bytes;
    if (auto read = in.end(); !read) return std::unexpected(read.error());
    sums[loss_cause_of(cause)] += bytes;
  }
  return sums;
}

Result<std::vector<AgentState>> SqlStore::agents() const {
  auto rows = session_->ask(select_sql(tables::kAgent) + " ORDER BY agent_id");
  if (!rows) return std::unexpected(rows.error());
  std::vector<AgentState> out(rows->size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    AgentState& agent = out[i];
    RowReader in(rows->at(i));
    in >> agent.agent_id >> agent.host >> agent.instance >> agent.last_heartbeat_ms >> agent.watermark_ms >>
        agent.lag_bytes;
    if (auto read = in.end(); !read) return std::unexpected(read.error());
  }
  return out;
}

Result<Traffic::DeadLetters> SqlStore::dead_letters(std::size_t max_rows) const {
  DeadLetters out;
  auto counts = session_->ask("SELECT dead_letters FROM partition_state");
  if (!counts) return std::unexpected(counts.error());
  for (const auto& row : *counts) {
    std::uint64_t count = 0;
    RowReader in(row);
    in >> count;
    if (auto read = in.end(); !read) return std::unexpected(read.error());
    out.total += count;
  }
  auto letters =
      letters_of(session_->ask(fmt::format("{} ORDER BY seen_ms DESC, message_offset DESC, line LIMIT {}",
                                           select_sql(tables::kDeadLetter), max_rows)));
  if (!letters) return std::unexpected(letters.error());
  out.newest = std::move(*letters);
  return out;
}

Result<std::vector<DeadLetter>> SqlStore::lost_offsets(std::size_t max_rows) const {
  return letters_of(session_->ask(
      fmt::format("{} WHERE kind IN (?, ?) ORDER BY seen_ms DESC, topic, partition_id, message_offset DESC, "
                  "line LIMIT {}",
                  select_sql(tables::kDeadLetter), max_rows),
      {as_number(DeadLetterKind::kMessagesGone), as_number(DeadLetterKind::kOffsetGone)}));
}

}  // namespace weir
