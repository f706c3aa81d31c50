#include "aggregator/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "proto/must.h"

namespace weir {
namespace {

constexpr std::chrono::milliseconds kLookInterval{200};
// A message can have several MiB: this bounds the polled messages that wait for the store.
constexpr std::size_t kMaxEventsPerPoll = 64;

const PartitionKey* partition_of(const SourceEvent& event) {
  if (const auto* message = std::get_if<SourceMessage>(&event)) return &message->partition;
  if (const auto* gap = std::get_if<OffsetOutOfRange>(&event)) return &gap->partition;
  return nullptr;
}

std::string sentence(const Error& error) { return error.sentence(); }

}  // namespace

Engine::Engine(EngineConfig config, Source& source, OpenLedger open_ledger)
    : config_(std::move(config)),
      source_(source),
      open_ledger_(std::move(open_ledger)),
      backoff_(config_.backoff_min),
      last_commit_(now()) {}

Engine::~Engine() = default;

void Engine::stop() { stop_ = true; }

EngineStatus Engine::status() const {
  const std::scoped_lock lock(mutex_);
  return status_;
}

Result<void> Engine::run() {
  while (!stop_) {
    if (auto done = step(); !done) {
      finish();
      return done;
    }
  }
  finish();
  return {};
}

void Engine::set_foreign_format(FormatSpec format) {
  const std::scoped_lock lock(mutex_);
  next_foreign_format_ = std::move(format);
}

Result<void> Engine::take_foreign_format() {
  std::optional<FormatSpec> format;
  {
    const std::scoped_lock lock(mutex_);
    format = std::exchange(next_foreign_format_, std::nullopt);
  }
  if (!format) return {};
  config_.settler.foreign_format = *format;  // also for the settler that the next connection creates
  return settler_ ? settler_->set_foreign_format(*format) : Result<void>{};
}

Result<void> Engine::step() {
  if (auto done = take_foreign_format(); !done) return done;
  if (!ledger_ && now() >= retry_at_) {
    if (auto done = connect(); !done) return done;
  }
  reacquire_fenced();
  const bool full = settler_ && settler_->pending_bytes() > config_.max_pending_bytes;
  if (const bool pause = !ledger_ || !inbox_.empty() || full; pause != paused_) {
    paused_ = pause;
    source_.pause(pause);
  }
  std::vector<SourceEvent> events;
  if (auto done = source_.poll(poll_timeout(), kMaxEventsPerPoll, events); !done) {
    publish();
    return done;
  }
  const bool idle = events.empty();
  std::move(events.begin(), events.end(), std::back_inserter(inbox_));
  if (auto done = process_inbox(); !done) {
    publish();
    return done;
  }
  commit_due(idle);
  publish();
  log_problem();
  return {};
}

void Engine::finish() {
  if (settler_ && ledger_) {
    for (const PartitionKey& partition : settler_->pending_partitions()) commit_all(partition);
  }
  publish();
}

// Errors: only those that no retry can fix. An unavailable store is not one of them.
Result<void> Engine::connect() {
  auto opened = open_ledger_();
  if (!opened) {
    store_failed(opened.error());
    return {};
  }
  if (auto migrated = (*opened)->migrate(); !migrated) {
    store_failed(migrated.error());
    return {};
  }
  if (!settler_) {
    auto sites = (*opened)->known_sites();
    if (!sites) {
      store_failed(sites.error());
      return {};
    }
    auto settler = Settler::create(config_.settler, *sites);
    if (!settler) return std::unexpected(settler.error());
    settler_ = std::move(*settler);
  }
  ledger_ = std::move(*opened);
  // If something waits to be committed, its commit will show whether the store works (the disk may be full).
  if (inbox_.empty() && settler_->pending_partitions().empty()) store_works();
  return {};
}

void Engine::store_failed(const Error& error) {
  ledger_.reset();
  store_problem_ = fmt::format("store: {}", sentence(error));
  retry_at_ = now() + backoff_;
  backoff_ = std::min(backoff_ * 2, config_.backoff_max);
}

void Engine::store_works() {
  store_problem_.clear();
  backoff_ = config_.backoff_min;
}

void Engine::log_problem() {
  const std::string problem = status().problem;
  if (problem.empty()) {
    logged_ = false;
    return;
  }
  if (!config_.log || (logged_ && now() - last_log_ < config_.log_interval)) return;
  logged_ = true;
  last_log_ = now();
  config_.log(Error{Code::kUnavailable, problem, {}});
}

Result<void> Engine::process_inbox() {
  while (!inbox_.empty() && !stop_) {
    auto progress = handle(inbox_.front());
    if (!progress) return std::unexpected(progress.error());
    if (*progress == Progress::kBlocked) {
      revoke_past_blocked_events();
      return {};
    }
    inbox_.pop_front();
  }
  return {};
}

Result<Engine::Progress> Engine::handle(SourceEvent& event) {
  if (auto* assigned = std::get_if<Assigned>(&event)) return handle_assigned(*assigned);
  if (const auto* message = std::get_if<SourceMessage>(&event)) return handle_message(*message);
  if (const auto* revoked = std::get_if<Revoked>(&event)) {
    handle_revoked(*revoked);
  } else if (const auto* gap = std::get_if<OffsetOutOfRange>(&event); gap != nullptr && settler_) {
    settler_->record_gap(*gap, now_ms());
  }
  return Progress::kDone;
}

// Removes partitions as they are finished, so that after a failure half-way only the rest is tried again.
Result<Engine::Progress> Engine::handle_assigned(Assigned& assigned) {
  while (!assigned.partitions.empty()) {
    if (!ledger_ || !settler_) return Progress::kBlocked;
    const PartitionKey partition = assigned.partitions.back();
    const auto state = ledger_->acquire(partition, config_.owner);
    if (!state) {
      store_failed(state.error());
      return Progress::kBlocked;
    }
    MUST(state->epoch > 0, "who takes a partition has an epoch");
    store_works();
    owned_.insert(partition);
    fenced_.erase(partition);
    // These were fetched before the coming seek: their offsets are ahead of the store's.
    forget_messages(partition);
    settler_->assign(partition, *state);
    std::int64_t start = state->next_offset;
    const std::string cluster = source_.cluster_id();
    if (start >= 0 && !cluster.empty() && !state->cluster_id.empty() && cluster != state->cluster_id) {
      // Offsets of another cluster mean nothing here. Content that its topic shares with the old one is
      // recognised by the byte ranges of its batches.
      settler_->record_gap({partition, start, 0}, now_ms());
      start = -1;
    }
    if (auto started = source_.start_at(partition, start); !started) {
      return std::unexpected(started.error());
    }
    assigned.partitions.pop_back();
  }
  return Progress::kDone;
}

Engine::Progress Engine::handle_message(const SourceMessage& message) {
  if (!settler_) return Progress::kDone;  // nothing has been assigned yet
  for (Need need = settler_->need(message); !std::holds_alternative<Ready>(need);
       need = settler_->need(message)) {
    if (!ledger_) return Progress::kBlocked;
    if (const auto* first = std::get_if<CommitFirst>(&need)) {
      commit_all(first->partition);
    } else {
      load_source(std::get<Load>(need).source);
    }
  }
  settler_->apply(message, now_ms());
  return Progress::kDone;
}

// A failure shows in ledger_ afterwards.
void Engine::load_source(const SourceId& id) {
  auto sources = ledger_->load_sources({id});
  if (!sources) return store_failed(sources.error());
  SourceState state;
  state.id = id;
  settler_->know_source(sources->empty() ? state : sources->front());
}

void Engine::handle_revoked(const Revoked& revoked) {
  for (const PartitionKey& partition : revoked.partitions) {
    // The partition's next owner reads again what cannot be committed now.
    if (!revoked.lost && settler_) commit_all(partition);
    if (settler_) settler_->drop(partition);
    owned_.erase(partition);
    fenced_.erase(partition);
  }
  source_.revoked_done();
}

// The consumer group does not wait for our store. Answer revocations, and discard the messages waiting for
// the revoked partitions.
void Engine::revoke_past_blocked_events() {
  const auto is_revoked = [](const SourceEvent& event) { return std::holds_alternative<Revoked>(event); };
  for (auto it = std::find_if(inbox_.begin(), inbox_.end(), is_revoked); it != inbox_.end();
       it = std::find_if(inbox_.begin(), inbox_.end(), is_revoked)) {
    const Revoked revoked = std::get<Revoked>(std::move(*it));
    inbox_.erase(it);
    for (const PartitionKey& partition : revoked.partitions) {
      forget_messages(partition);
      for (SourceEvent& event : inbox_) {
        if (auto* assigned = std::get_if<Assigned>(&event)) std::erase(assigned->partitions, partition);
      }
    }
    handle_revoked(revoked);
  }
}

void Engine::forget_messages(const PartitionKey& partition) {
  std::erase_if(inbox_, [&](const SourceEvent& event) {
    const PartitionKey* of = partition_of(event);
    return of != nullptr && *of == partition;
  });
}

void Engine::reacquire_fenced() {
  for (auto it = fenced_.begin(); it != fenced_.end();) {
    if (now() < it->second) {
      ++it;
      continue;
    }
    if (owned_.contains(it->first)) inbox_.emplace_front(Assigned{{it->first}});
    it = fenced_.erase(it);
  }
}

void Engine::check() const {
#ifdef WEIR_MUST
  if (!settler_) return;
  settler_->check();
  for (const PartitionKey& partition : settler_->pending_partitions())
    MUST(owned_.contains(partition), "only partitions that are owned have something pending");
  for (const auto& [partition, until] : fenced_)
    MUST(!settler_->has_pending(partition), "a fenced partition has nothing pending");
  for (const auto& [partition, until] : fenced_)
    MUST(owned_.contains(partition), "a fenced partition is owned until the group says otherwise");
#endif
}

// False: it was not committed.
bool Engine::commit_partition(const PartitionKey& partition) {
  MUST(owned_.contains(partition), "only the owner of a partition commits");
  const Commit& commit = settler_->take(partition, source_.cluster_id());
  MUST(commit.partition == partition, "the commit is of the partition that is committed");
  auto done = ledger_->commit(commit);
  if (done) {
    source_.committed(partition, commit.next_offset);
    settler_->committed(commit);  // `commit` is invalid from here on
    ++commits_;
    last_commit_ms_ = now_ms();
    store_works();
    return true;
  }
  if (done.error().code == Code::kFenced) {
    ++fenced_count_;
    settler_->drop(partition);
    fenced_[partition] = now() + config_.reacquire_delay;
    return false;
  }
  store_failed(done.error());
  return false;
}

// Commits everything pending of the partition: a sealed commit that was tried before, and what followed it.
void Engine::commit_all(const PartitionKey& partition) {
  while (ledger_ && settler_->has_pending(partition)) {
    if (!commit_partition(partition)) return;
  }
}

void Engine::commit_due(bool idle) {
  if (!ledger_ || !settler_) return;
  const auto since = now() - last_commit_;
  const std::uint64_t content = settler_->counters().content_bytes - content_bytes_at_commit_;
  const bool due = since >= config_.commit_interval ||
                   settler_->pending_bytes() > config_.max_pending_bytes ||
                   (config_.commit_content_bytes > 0 && content >= config_.commit_content_bytes) ||
                   (idle && config_.commit_when_idle.count() > 0 && since >= config_.commit_when_idle);
  if (!due) return;
  for (const PartitionKey& partition : settler_->pending_partitions()) {
    if (!ledger_) return;
    static_cast<void>(commit_partition(partition));  // a failure shows in ledger_ or fenced_
  }
  last_commit_ = now();
  content_bytes_at_commit_ = settler_->counters().content_bytes;
}

std::chrono::milliseconds Engine::poll_timeout() const {
  if (!settler_ || settler_->pending_partitions().empty()) return config_.poll_timeout;
  const auto due =
      std::chrono::duration_cast<std::chrono::milliseconds>(last_commit_ + config_.commit_interval - now());
  return std::clamp(due, std::chrono::milliseconds(1), config_.poll_timeout);
}

void Engine::publish() {
  // This check visits every source and agent, so it is too costly after every few messages.
  if (now() - last_look_ >= kLookInterval) {
    last_look_ = now();
    other_problem_ = source_.status();
    if (other_problem_.empty() && settler_) {
      if (auto problems = settler_->problems(now_ms()); !problems.empty()) {
        other_problem_ = std::move(problems.front());
      }
    }
  }
  std::string problem = store_problem_.empty() ? other_problem_ : store_problem_;
  const std::scoped_lock lock(mutex_);
  status_.problem = std::move(problem);
  status_.commits = commits_;
  status_.fenced = fenced_count_;
  status_.partitions = owned_.size();
  status_.last_commit_ms = last_commit_ms_;
  if (!settler_) return;
  const SettlerCounters counters = settler_->counters();
  status_.messages = counters.messages;
  status_.message_bytes = counters.message_bytes;
  status_.records = counters.records;
  status_.dead_letters = counters.dead_letters;
  status_.duplicates_dropped_bytes = counters.duplicate_bytes;
  status_.pending_bytes = settler_->pending_bytes();
}

}  // namespace weir
