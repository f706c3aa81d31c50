// The loop that connects source, settler and ledger. It decides when to commit, when to stop fetching, and
// what to do when the store fails.
#pragma once

#include <atomic>
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "aggregator/engine_status.h"
#include "aggregator/partition_key.h"
#include "aggregator/settle/settler.h"
#include "aggregator/source/source.h"
#include "aggregator/store/ledger.h"
#include "common/clock.h"

namespace weir {

struct EngineConfig {
  SettlerConfig settler;
  std::chrono::milliseconds commit_interval{1000};
  std::uint64_t max_pending_bytes = 64 << 20;  // uncommitted bytes held; fetching stops at this
  std::string owner;                           // written to the store for people who inspect it
  // Also commit after this much newly counted content; 0: no such limit. On a single box the agent waits for
  // acknowledgements after max_in_flight.
  std::uint64_t commit_content_bytes = 0;
  // Also commit when nothing arrives and the last commit is at least this old; 0: no such limit.
  std::chrono::milliseconds commit_when_idle{0};
  // The longest wait for messages: an upper bound on how long stop() takes, and on how late silence is
  // reported.
  std::chrono::milliseconds poll_timeout{100};
  // How long to wait after being fenced. By then the consumer group has settled who owns the partition.
  std::chrono::milliseconds reacquire_delay{3000};
  std::chrono::milliseconds backoff_min{100}, backoff_max{10000};
  std::chrono::milliseconds log_interval{60000};
  const Clock* clock = &system_clock();
  std::function<void(const Error&)> log;  // reports a problem, and again each log_interval while it lasts
};

class Engine {
 public:
  // `source` must outlive the engine. `open_ledger` is called on run()'s thread, again after each failure.
  Engine(EngineConfig config, Source& source, OpenLedger open_ledger);
  ~Engine();

  // Runs until stop(), then commits what is pending. Errors: the source ended, a foreign format does not
  // compile, another process has taken over the store permanently.
  [[nodiscard]] Result<void> run();
  // The format of raw lines, used from the next message on. Any thread. It must have been checked.
  void set_foreign_format(FormatSpec format);
  void stop();                                // any thread
  [[nodiscard]] EngineStatus status() const;  // any thread; describes the last step

  // run() calls step() until stop(), then finish(). Public for tests.
  [[nodiscard]] Result<void> step();
  void finish();
  void check() const;  // checks the invariants (proto/must.h), on the thread of step()

 private:
  using Time = std::chrono::milliseconds;   // on the monotonic clock
  enum class Progress { kDone, kBlocked };  // kBlocked: the store is unavailable, try again later

  [[nodiscard]] Time now() const { return Time(config_.clock->steady_ms()); }
  [[nodiscard]] std::int64_t now_ms() const { return config_.clock->wall_ms(); }
  [[nodiscard]] Result<void> connect();
  void store_failed(const Error& error);
  void store_works();
  void log_problem();
  [[nodiscard]] Result<void> process_inbox();
  [[nodiscard]] Result<Progress> handle(SourceEvent& event);
  [[nodiscard]] Result<Progress> handle_assigned(Assigned& assigned);
  Progress handle_message(const SourceMessage& message);
  void handle_revoked(const Revoked& revoked);
  void revoke_past_blocked_events();
  void forget_messages(const PartitionKey& partition);
  [[nodiscard]] Result<void> take_foreign_format();
  void reacquire_fenced();
  void load_source(const SourceId& id);
  bool commit_partition(const PartitionKey& partition);
  void commit_all(const PartitionKey& partition);
  void commit_due(bool idle);
  [[nodiscard]] std::chrono::milliseconds poll_timeout() const;
  void publish();

  EngineConfig config_;
  Source& source_;
  OpenLedger open_ledger_;
  std::unique_ptr<Ledger> ledger_;  // null: unavailable
  std::unique_ptr<Settler> settler_;
  std::atomic<bool> stop_ = false;

  std::deque<SourceEvent> inbox_;  // polled, not yet handled; holds more than one poll only while blocked
  std::set<PartitionKey> owned_;
  std::map<PartitionKey, Time> fenced_;  // still assigned to us; when to acquire them again
  bool paused_ = false;

  Time retry_at_{};
  std::chrono::milliseconds backoff_;
  std::string store_problem_;
  std::string other_problem_;  // of the source and the agents, as found at last_look_
  Time last_look_{};
  Time last_commit_{};
  std::uint64_t content_bytes_at_commit_ = 0;
  Time last_log_{};
  bool logged_ = false;

  std::uint64_t commits_ = 0, fenced_count_ = 0;
  std::int64_t last_commit_ms_ = 0;
  mutable std::mutex mutex_;
  std::optional<FormatSpec> next_foreign_format_;  // GUARDED_BY(mutex_)
  EngineStatus status_;                            // guarded by mutex_
};

}  // namespace weir
