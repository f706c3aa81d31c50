// A store in memory with the meaning of store.h: enough for warn and pages, shared by
// every connection that is opened on one MemoryTables.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "aggregator/store/store.h"

namespace weir::test {

struct MemoryTables {
  std::mutex mutex;
  bool down = false;
  std::vector<TrafficRow> windows;  // one row per window, site, host and status
  std::vector<SourceState> sources;
  std::vector<AgentState> agents;
  Store::DeadLetters dead_letters;
  std::map<std::pair<std::string, std::string>, AlertState> alerts;
  std::map<std::int64_t, OutboxMail> mails;
  std::int64_t next_mail = 1;
  std::uint64_t opened = 0;

  void add(std::int64_t start_s, std::string site, std::string host, std::uint16_t status,
           std::uint64_t requests, std::uint64_t bytes, std::uint64_t latency_ms = 10) {
    TrafficRow row{start_s, std::move(site), std::move(host), status, {}};
    row.sum.requests = requests;
    row.sum.bytes_sent = bytes;
    row.sum.flow_bytes = bytes;
    row.sum.request_time_ms = latency_ms * requests;
    if (requests > 0) row.sum.latency.add(latency_ms, requests);
    const std::lock_guard lock(mutex);
    windows.push_back(std::move(row));
  }
};

class MemoryStore : public Store {
 public:
  explicit MemoryStore(std::shared_ptr<MemoryTables> tables) : tables_(std::move(tables)) {}

  Result<void> migrate() override { return {}; }
  Result<int> schema_version() override { return kSchemaVersion; }
  Result<PartitionState> acquire(const PartitionKey&, std::string_view) override { return away(); }
  Result<std::vector<SourceState>> load_sources(const std::vector<SourceId>&) override { return away(); }
  Result<void> commit(const Commit&) override { return away(); }

  Result<std::vector<std::string>> sites() override { return names(&TrafficRow::site); }
  Result<std::vector<std::string>> hosts() override { return names(&TrafficRow::host); }
  Result<std::optional<Span>> traffic_span() override {
    const std::lock_guard lock(tables_->mutex);
    if (tables_->down) return away();
    std::optional<Span> span;
    for (const TrafficRow& row : tables_->windows) {
      if (!span) span = {row.start_s, row.start_s};
      span->first_s = std::min(span->first_s, row.start_s);
      span->last_s = std::max(span->last_s, row.start_s);
    }
    return span;
  }
  Result<std::vector<TrafficRow>> traffic(const TrafficQuery& query, std::size_t max_rows) override {
    const std::lock_guard lock(tables_->mutex);
    if (tables_->down) return away();
    using Key = std::tuple<std::int64_t, std::string, std::string, std::uint16_t>;
    std::map<Key, TrafficRow> out;
    for (const TrafficRow& row : tables_->windows) {
      if (query.from_s && row.start_s < *query.from_s) continue;
      if (query.to_s && row.start_s >= *query.to_s) continue;
      if (query.site && row.site != *query.site) continue;
      if (query.host && row.host != *query.host) continue;
      const std::int64_t start = query.step_s > 0 ? row.start_s / query.step_s * query.step_s : 0;
      const Key key{start, query.by_site ? row.site : "", query.by_host ? row.host : "",
                    query.by_status ? row.status : std::uint16_t{0}};
      auto [found, is_new] = out.try_emplace(key, TrafficRow{query.step_s > 0 ? start : row.start_s,
                                                             std::get<1>(key),
                                                             std::get<2>(key),
                                                             std::get<3>(key),
                                                             {}});
      if (query.step_s == 0) found->second.start_s = std::min(found->second.start_s, row.start_s);
      found->second.sum.merge(row.sum);
    }
    if (out.size() > max_rows) return fail(Code::kFull, "more rows than asked for", "narrow the range");
    std::vector<TrafficRow> rows;
    for (auto& [key, row] : out) rows.push_back(std::move(row));
    return rows;
  }
  Result<std::vector<SourceState>> all_sources(std::size_t) override { return copy(tables_->sources); }
  Result<GapBytes> gap_bytes() override {
    auto sources = all_sources(0);
    if (!sources) return std::unexpected(sources.error());
    GapBytes sums;
    for (const auto& source : *sources) {
      for (const auto& gap : source.coverage.gaps()) sums[gap.cause] += gap.size();
    }
    return sums;
  }
  Result<std::vector<AgentState>> agents() override { return copy(tables_->agents); }
  Result<DeadLetters> dead_letters(std::size_t) override { return copy(tables_->dead_letters); }
  Result<std::vector<DeadLetter>> lost_offsets(std::size_t) override { return away(); }
  Result<std::uint64_t> forget_sources(std::int64_t, std::int64_t, std::size_t) override { return away(); }

  Result<std::vector<AlertState>> alerts() override {
    const std::lock_guard lock(tables_->mutex);
    if (tables_->down) return away();
    std::vector<AlertState> out;
    for (const auto& [key, state] : tables_->alerts) out.push_back(state);
    return out;
  }
  Result<void> save_alerts(const std::vector<AlertState>& states,
                           const std::vector<OutboxMail>& mails) override {
    const std::lock_guard lock(tables_->mutex);
    if (tables_->down) return away();
    for (const AlertState& state : states) tables_->alerts[{state.rule, state.subject}] = state;
    for (OutboxMail mail : mails) {
      mail.id = tables_->next_mail++;
      tables_->mails[mail.id] = mail;
    }
    return {};
  }
  Result<std::vector<OutboxMail>> claim_mails(std::int64_t now_ms, std::int64_t lease_ms,
                                              std::size_t max_mails) override {
    const std::lock_guard lock(tables_->mutex);
    if (tables_->down) return away();
    std::vector<OutboxMail> out;
    for (auto& [id, mail] : tables_->mails) {
      if (mail.next_try_ms > now_ms || out.size() == max_mails) continue;
      out.push_back(mail);
      mail.next_try_ms = now_ms + lease_ms;
    }
    return out;
  }
  Result<void> mail_delivered(std::int64_t id) override {
    const std::lock_guard lock(tables_->mutex);
    if (tables_->down) return away();
    tables_->mails.erase(id);
    return {};
  }
  Result<void> mail_failed(std::int64_t id, std::int64_t next_try_ms, std::string_view error) override {
    const std::lock_guard lock(tables_->mutex);
    if (tables_->down) return away();
    OutboxMail& mail = tables_->mails.at(id);
    mail.next_try_ms = next_try_ms;
    ++mail.attempts;
    mail.last_error = error;
    return {};
  }
  Result<std::uint64_t> mails_waiting() override {
    const std::lock_guard lock(tables_->mutex);
    if (tables_->down) return away();
    return tables_->mails.size();
  }

 private:
  static std::unexpected<Error> away() {
    return fail(Code::kUnavailable, "store memory: it is away", "wait");
  }
  template <class T>
  Result<T> copy(const T& value) {
    const std::lock_guard lock(tables_->mutex);
    if (tables_->down) return away();
    return value;
  }
  Result<std::vector<std::string>> names(std::string TrafficRow::* member) {
    const std::lock_guard lock(tables_->mutex);
    if (tables_->down) return away();
    std::set<std::string> out;
    for (const TrafficRow& row : tables_->windows) out.insert(row.*member);
    return std::vector<std::string>(out.begin(), out.end());
  }

  std::shared_ptr<MemoryTables> tables_;
};

inline auto opener(std::shared_ptr<MemoryTables> tables) {
  return [tables = std::move(tables)]() -> Result<std::unique_ptr<Store>> {
    const std::lock_guard lock(tables->mutex);
    if (tables->down) return fail(Code::kUnavailable, "store memory: it is away", "wait");
    ++tables->opened;
    return std::make_unique<MemoryStore>(tables);
  };
}

}  // namespace weir::test
