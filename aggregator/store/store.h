// The store: the only thing that warn, pages and report read. MySQL or SQLite,
// the same tables and the same numbers (docs/reference/store.md).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "aggregator/source/source.h"
#include "proto/coverage.h"
#include "proto/result.h"
#include "proto/source_id.h"
#include "proto/window.h"

namespace weir {

inline constexpr int kSchemaVersion = 2;

struct PartitionState {
  std::uint64_t epoch = 0;        // this owner's, new at each acquire
  std::int64_t next_offset = -1;  // -1: nothing was ever committed
  std::string cluster_id;
  std::int32_t leader_epoch = -1;
};

struct SourceState {
  SourceId id;
  // Of the row: what commit() replaces must be what was loaded. 0: there is none yet.
  std::uint64_t version = 0;
  Coverage coverage;
  std::string agent_id, host, input, path;
  std::uint64_t instance = 0;
  std::uint64_t lines = 0;
  std::uint64_t unparsed = 0;
  std::uint64_t too_long = 0;  // of the unparsed: longer than the input's max_line, and cut
  std::uint64_t filtered = 0;
  std::int64_t first_seen_ms = 0;
  std::int64_t last_seen_ms = 0;
};

struct DeadLetter {
  PartitionKey partition;
  std::int64_t offset = 0;
  std::uint32_t line = 0;
  std::string source;  // SourceId hex, or ""
  std::string reason;  // one sentence
  std::string text;    // at most 512 bytes, raw: escape before showing
  std::int64_t seen_ms = 0;
};

// How the reasons of those dead letters begin that say that messages are gone, not unreadable.
// They are kept for good: what they tell is told nowhere else.
inline constexpr std::string_view kMessagesGone = "messages [";
inline constexpr std::string_view kOffsetGone = "offset ";

struct AgentState {
  std::string agent_id, host;
  std::uint64_t instance = 0;
  std::int64_t last_heartbeat_ms = 0;
  std::int64_t watermark_ms = 0;
  std::uint64_t lag_bytes = 0;
};

// All of one transaction. The store adds windows to what it has.
struct Commit {
  PartitionKey partition;
  std::uint64_t epoch = 0;
  std::int64_t expected_next_offset = -1;
  std::int64_t next_offset = 0;
  std::string cluster_id;
  std::int32_t leader_epoch = -1;
  WindowDelta windows;
  // Absolute: they replace the rows, whose versions must be theirs still. A source may have moved
  // to another partition, and another aggregator may have counted it since: kFenced then.
  std::vector<SourceState> sources;
  std::vector<DeadLetter> dead_letters;
  std::uint64_t dead_letter_count = 0;  // all of them, also those not kept
  std::vector<AgentState> agents;
  std::vector<std::string> new_sites;
};

// Known loss, by cause.
using GapBytes = std::map<LossCause, std::uint64_t>;

struct TrafficQuery {
  std::optional<std::int64_t> from_s{}, to_s{};  // [from, to)
  std::int64_t step_s = 0;                       // 0: all in one
  bool by_site = false, by_host = false, by_status = false;
  std::optional<std::string> site{}, host{};  // filters
};

struct TrafficRow {
  std::int64_t start_s = 0;  // of the step; with step 0 the first window's
  std::string site, host;
  std::uint16_t status = 0;
  WindowSum sum;
};

struct AlertState {
  std::string rule;     // name
  std::string subject;  // the site, or "" for the total
  std::string state;    // "pending", "firing", "ok"
  std::int64_t since_s = 0;
  double value = 0;
};

struct OutboxMail {
  std::int64_t id = 0;
  std::string to, subject, body;
  std::int64_t created_ms = 0;
  std::int64_t next_try_ms = 0;
  std::uint32_t attempts = 0;
  std::string last_error;
};

// Not thread-safe: one Store per thread, each with its own connection.
// Errors: kUnavailable (connect or try again: nothing was committed), kFenced (another
// owner), kInvalid (schema too new, wrong password), kIo (disk full, corrupt).
class Store {
 public:
  virtual ~Store() = default;
  // Creates or migrates the schema. kInvalid when it is newer than this program knows.
  [[nodiscard]] virtual Result<void> migrate() = 0;
  // What the tables have; changes nothing. kNotFound when they are no tables of weir.
  [[nodiscard]] virtual Result<int> schema_version() = 0;

  // Takes the partition: epoch + 1. Whoever held it is fenced from now on.
  [[nodiscard]] virtual Result<PartitionState> acquire(const PartitionKey& partition,
                                                       std::string_view owner) = 0;
  [[nodiscard]] virtual Result<std::vector<SourceState>> load_sources(const std::vector<SourceId>& ids) = 0;
  // One transaction; first statement the compare-and-set on the partition's row. Retries
  // deadlocks itself; resolves an unknown COMMIT outcome by reading the row back.
  [[nodiscard]] virtual Result<void> commit(const Commit& commit) = 0;

  [[nodiscard]] virtual Result<std::vector<std::string>> sites() = 0;
  [[nodiscard]] virtual Result<std::vector<std::string>> hosts() = 0;
  // Ascending by (start, site, host, status); `max_rows` bounds the answer (kFull beyond).
  [[nodiscard]] virtual Result<std::vector<TrafficRow>> traffic(const TrafficQuery& query,
                                                                std::size_t max_rows) = 0;
  // The begin of the first window and of the last; nullopt: there is none.
  struct Span {
    std::int64_t first_s = 0, last_s = 0;
  };
  [[nodiscard]] virtual Result<std::optional<Span>> traffic_span() = 0;
  [[nodiscard]] virtual Result<std::vector<SourceState>> all_sources(std::size_t max_rows) = 0;
  [[nodiscard]] virtual Result<GapBytes> gap_bytes() = 0;
  [[nodiscard]] virtual Result<std::vector<AgentState>> agents() = 0;
  struct DeadLetters {
    std::uint64_t total = 0;
    std::vector<DeadLetter> newest;
  };
  [[nodiscard]] virtual Result<DeadLetters> dead_letters(std::size_t max_rows) = 0;
  // Those that say that messages are gone, newest first.
  [[nodiscard]] virtual Result<std::vector<DeadLetter>> lost_offsets(std::size_t max_rows) = 0;

  // Deletes at most `max` sources last heard of before `before_ms`, those with gaps before
  // `with_gaps_before_ms`; says how many. Never one that another writer has touched meanwhile.
  [[nodiscard]] virtual Result<std::uint64_t> forget_sources(std::int64_t before_ms,
                                                             std::int64_t with_gaps_before_ms,
                                                             std::size_t max) = 0;

  // Warn. One transaction: the states and the mails, or neither.
  [[nodiscard]] virtual Result<std::vector<AlertState>> alerts() = 0;
  [[nodiscard]] virtual Result<void> save_alerts(const std::vector<AlertState>& states,
                                                 const std::vector<OutboxMail>& mails) = 0;
  // Mails that are due, oldest first; claimed for `lease_ms` so that two mailers do not both send.
  [[nodiscard]] virtual Result<std::vector<OutboxMail>> claim_mails(std::int64_t now_ms,
                                                                    std::int64_t lease_ms,
                                                                    std::size_t max_mails) = 0;
  [[nodiscard]] virtual Result<void> mail_delivered(std::int64_t id) = 0;
  [[nodiscard]] virtual Result<void> mail_failed(std::int64_t id, std::int64_t next_try_ms,
                                                 std::string_view error) = 0;
  [[nodiscard]] virtual Result<std::uint64_t> mails_waiting() = 0;
};

struct MysqlConfig {
  std::string host = "127.0.0.1";
  std::uint16_t port = 3306;
  std::string socket;  // instead of host and port
  std::string user = "weir";
  std::string password;
  std::string database = "weir";
  std::string tls_ca;  // set: TLS is required and the server is verified
};

[[nodiscard]] Result<std::unique_ptr<Store>> open_sqlite(const std::string& path);
// Read only, and never creates the file: for `report`.
[[nodiscard]] Result<std::unique_ptr<Store>> open_sqlite_readonly(const std::string& path);
[[nodiscard]] Result<std::unique_ptr<Store>> open_mysql(const MysqlConfig& config);

}  // namespace weir
