// The store's three roles over one connection: sql_ledger.cc, sql_traffic.cc, sql_alerts.cc.
#pragma once

#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/store/sql_session.h"
#include "aggregator/store/sql_windows.h"
#include "aggregator/store/store.h"

namespace weir {

class SqlStore : public Store {
 public:
  SqlStore(std::unique_ptr<SqlConnection> connection, RetryPause pause)
      : session_(std::make_unique<SqlSession>(std::move(connection), std::move(pause))),
        windows_(session_->db()) {}

  // Ledger.
  [[nodiscard]] Result<void> migrate() override;
  [[nodiscard]] Result<int> schema_version() override;
  [[nodiscard]] Result<PartitionState> acquire(const PartitionKey& partition,
                                               std::string_view owner) override;
  [[nodiscard]] Result<std::vector<SourceState>> load_sources(const std::vector<SourceId>& ids) override;
  [[nodiscard]] Result<std::vector<std::string>> known_sites() override { return sites(); }
  [[nodiscard]] Result<void> commit(const Commit& commit) override;
  [[nodiscard]] Result<std::uint64_t> forget_sources(std::int64_t before_ms, std::int64_t with_gaps_before_ms,
                                                     std::size_t max) override;

  // Traffic.
  [[nodiscard]] Result<std::vector<std::string>> sites() const override;
  [[nodiscard]] Result<std::vector<std::string>> hosts() const override;
  [[nodiscard]] Result<std::vector<TrafficRow>> traffic(const TrafficQuery& query,
                                                        std::size_t max_rows) const override;
  [[nodiscard]] Result<std::optional<Span>> traffic_span() const override;
  [[nodiscard]] Result<std::vector<SourceState>> all_sources(std::size_t max_rows) const override;
  [[nodiscard]] Result<GapBytes> gap_bytes() const override;
  [[nodiscard]] Result<std::vector<AgentState>> agents() const override;
  [[nodiscard]] Result<DeadLetters> dead_letters(std::size_t max_rows) const override;
  [[nodiscard]] Result<std::vector<DeadLetter>> lost_offsets(std::size_t max_rows) const override;

  // Alerts.
  [[nodiscard]] Result<std::vector<AlertState>> alerts() const override;
  [[nodiscard]] Result<void> save_alerts(const AlertChanges& changes) override;
  [[nodiscard]] Result<std::vector<AlertEvent>> history(std::int64_t from_s, std::int64_t to_s,
                                                        std::size_t max_rows) const override;
  [[nodiscard]] Result<std::vector<Letter>> claim_letters(std::string_view channel, std::int64_t now_ms,
                                                          std::int64_t claim_ms,
                                                          std::size_t max_letters) override;
  [[nodiscard]] Result<void> letter_delivered(std::int64_t id) override;
  [[nodiscard]] Result<void> letter_failed(std::int64_t id, std::int64_t next_try_ms,
                                           std::string_view error) override;
  [[nodiscard]] Result<std::map<std::string, std::uint64_t>> letters_waiting() const override;
  [[nodiscard]] Result<bool> lease(std::string_view name, std::string_view owner, std::int64_t now_ms,
                                   std::int64_t for_ms) override;

 private:
  // Parts of a transaction.
  [[nodiscard]] Result<void> write_commit(const Commit& commit, std::int64_t token);
  [[nodiscard]] Result<void> write_source(const SourceState& source);
  [[nodiscard]] Result<void> write_agents(const std::vector<AgentState>& agents);
  [[nodiscard]] Result<void> write_sites(const std::vector<std::string>& sites);
  [[nodiscard]] Result<void> write_hosts(const WindowDelta& windows);
  [[nodiscard]] Result<void> write_names(const Table& table, const std::set<std::string>& names);
  [[nodiscard]] Result<void> write_dead_letters(const Commit& commit);
  [[nodiscard]] Result<void> write_events(const std::vector<AlertEvent>& events);
  [[nodiscard]] Result<std::int64_t> next_id(std::string_view counter);

  std::unique_ptr<SqlSession> session_;
  SqlWindows windows_;
  // Hosts that this store has written with a commit. Cleared when it exceeds kMaxHostsKept.
  std::set<std::string> hosts_;
  std::mt19937_64 random_{std::random_device{}()};
};

}  // namespace weir
