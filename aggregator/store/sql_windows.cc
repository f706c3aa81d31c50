#include "aggregator/store/sql_windows.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "aggregator/store/sql_row.h"
#include "aggregator/store/sql_rows.h"
#include "aggregator/store/sql_text.h"
#include "proto/must.h"

namespace weir {

// When this owner took the partition, no row began later. Since then only this writer has written rows of the
// partition, because another owner would have another epoch.
Result<std::int64_t> SqlWindows::newest(const Commit& commit) {
  auto& known = newest_[commit.partition];
  if (known.epoch != commit.epoch) {
    auto rows = db_.query(kLastWindow);
    if (!rows) return std::unexpected(rows.error());
    known = {commit.epoch,
             rows->empty() ? std::numeric_limits<std::int64_t>::min() : number(rows->front().front())};
  }
  return known.start_s;
}

// Adds the stored sums to those rows that the store may already have.
Result<void> SqlWindows::add_stored(const PartitionKey& partition, std::vector<WindowRow>& rows,
                                    std::vector<WindowSum>& sums) {
  if (rows.empty()) return {};
  // Rows belong to a topic and partition, and the compare-and-set made this their only writer.
  std::vector<SqlValue> parameters = {partition.topic, std::int64_t{partition.partition}};
  for (const auto& row : rows)
    parameters.insert(parameters.end(),
                      {row.key->start_s, row.key->site, row.key->host, std::int64_t{row.key->status}});
  if (rows.size() != select_rows_) {
    select_rows_ = rows.size();
    select_sql_ = fmt::format(
        "SELECT start_s, site, host, status, {} FROM window_traffic WHERE topic = ? AND partition_id = ? AND "
        "({})",
        columns_sql(tables::kWindow, kWindowKeyColumns),
        repeated("(start_s = ? AND site = ? AND host = ? AND status = ?)", rows.size(), " OR "));
  }
  return db_.each_row(select_sql_, parameters, [&](const SqlRow& stored) -> Result<void> {
    WindowKey key;
    StoredSum stored_sum;
    RowReader in(stored);
    in >> key.start_s >> key.site >> key.host >> key.status >> stored_sum;
    if (auto read = in.end(); !read) return read;
    const auto mine = std::lower_bound(rows.begin(), rows.end(), key,
                                       [](const auto& row, const WindowKey& k) { return *row.key < k; });
    if (mine == rows.end() || *mine->key != key)
      return fail(Code::kCorrupt, "store: window_traffic gave a row that was not asked for");
    auto sum = with_latency(std::move(stored_sum));
    if (!sum) return std::unexpected(sum.error());
    MUST(sums.size() < sums.capacity(), "sums that rows point to are not moved");
    sum->merge(*mine->sum);
    mine->sum = &sums.emplace_back(std::move(*sum));
    return {};
  });
}

Result<void> SqlWindows::put(const PartitionKey& partition, const std::vector<WindowRow>& rows) {
  constexpr std::size_t kValues = tables::kWindow.columns.size();
  // Strings in it keep their memory from call to call.
  values_.resize(rows.size() * kValues);
  auto* value = values_.data();
  for (const auto& [key, sum] : rows) {
    *value++ = key->start_s;
    *value++ = key->site;
    *value++ = key->host;
    *value++ = std::int64_t{key->status};
    *value++ = partition.topic;
    *value++ = std::int64_t{partition.partition};
    for (const auto amount : {sum->requests, sum->bytes_sent, sum->flow_bytes, sum->request_bytes,
                              sum->request_time_ms, sum->upstream_time_ms})
      *value++ = as_number(amount);
    *value++ = sum->latency.encode();
  }
  MUST(value == values_.data() + values_.size(), "each row of windows has a value for each column");
  if (rows.size() != replace_rows_) {
    replace_rows_ = rows.size();
    replace_sql_ = replace_sql(tables::kWindow, rows.size());
  }
  const auto done = db_.query(replace_sql_, values_);
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<void> SqlWindows::write(const Commit& commit) {
  if (commit.windows.empty()) return {};
  const auto newest = this->newest(commit);
  if (!newest) return std::unexpected(newest.error());
  const auto rows_per_statement = db_.rows_per_statement();
  std::vector<WindowRow> rows;
  std::vector<WindowSum> sums;  // of rows that the store already had
  sums.reserve(rows_per_statement);
  for (auto at = commit.windows.begin(); at != commit.windows.end();) {
    rows.clear();
    sums.clear();
    // One statement takes either rows that may be stored already, or rows that cannot be.
    const bool stored = at->first.start_s <= *newest;
    for (; at != commit.windows.end() && rows.size() < rows_per_statement &&
           (at->first.start_s <= *newest) == stored;
         ++at) {
      if (at->first.site.size() > kMaxKeyBytes || at->first.host.size() > kMaxKeyBytes)
        return fail(Code::kInvalid, "store: a site or host longer than 255 bytes");
      rows.push_back({&at->first, &at->second});
    }
    if (stored) {
      if (auto added = add_stored(commit.partition, rows, sums); !added) return added;
    }
    if (auto done = put(commit.partition, rows); !done) return done;
  }
  auto& known = newest_[commit.partition];
  known.start_s = std::max(known.start_s, commit.windows.rbegin()->first.start_s);
  return {};
}

}  // namespace weir
