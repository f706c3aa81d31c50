#include "aggregator/source/local_source.h"

#include <fmt/format.h>

#include <atomic>
#include <deque>
#include <mutex>
#include <thread>

#include "agent/ship/queue_output.h"

namespace weir {
namespace {

// Batches queued between agent and engine. Together with the agent's max_in_flight this bounds the memory.
constexpr std::size_t kMaxQueuedMessages = 64;

const PartitionKey& local_partition() {
  static const PartitionKey partition{"local", 0};
  return partition;
}

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

std::optional<std::uint64_t> resume_offset(const Coverage& coverage) {
  if (coverage.high_water() <= coverage.origin()) return std::nullopt;
  if (coverage.gaps().empty()) return coverage.high_water();
  // Continue reading at the first gap; content beyond it that is already counted is not counted again.
  return coverage.gaps().front().begin;
}

struct LocalSource::Impl {
  QueueOutput output{kMaxQueuedMessages};
  OpenLedger open_ledger;
  std::unique_ptr<Ledger> ledger;  // used by the agent's thread only
  std::unique_ptr<Agent> agent;
  std::thread thread;
  std::atomic<bool> ended = false;
  mutable std::mutex mutex;
  std::optional<Error> failure;  // of the agent's loop
  std::string position_problem;  // set when the store could not say where to continue

  // Used by the engine's thread only.
  bool announced = false;
  bool started = false;
  std::int64_t next_offset = 0;
  std::deque<std::pair<std::int64_t, std::uint64_t>> unacknowledged;  // offset, id in the queue
  std::vector<Message> popped;

  std::optional<std::uint64_t> position_of(const SourceId& id);
  void run();
};

// Without an answer the source is read from its start: slower, but still counted only once.
std::optional<std::uint64_t> LocalSource::Impl::position_of(const SourceId& id) {
  Error error;
  // If the connection has gone stale, open it again, once.
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (!ledger) {
      auto opened = open_ledger();
      if (!opened) {
        error = opened.error();
        continue;
      }
      ledger = std::move(*opened);
    }
    auto sources = ledger->load_sources({id});
    if (sources) {
      const std::scoped_lock lock(mutex);
      position_problem.clear();
      return sources->empty() ? std::nullopt : resume_offset(sources->front().coverage);
    }
    error = sources.error();
    ledger.reset();
  }
  const std::scoped_lock lock(mutex);
  position_problem = fmt::format("{}; reading from the start of the log instead", error.what);
  return std::nullopt;
}

void LocalSource::Impl::run() {
  auto done = agent->run();
  {
    const std::scoped_lock lock(mutex);
    if (!done) failure = done.error();
  }
  ended = true;
}

LocalSource::LocalSource() : impl_(std::make_unique<Impl>()) {}

LocalSource::~LocalSource() {
  if (!impl_->thread.joinable()) return;
  impl_->agent->stop();
  // The agent waits for acknowledgements of what it has shipped. Acknowledging here is harmless: no registry
  // can run ahead, because the store says where to continue.
  while (!impl_->ended) {
    impl_->popped.clear();
    impl_->output.pop(std::chrono::milliseconds(20), kMaxQueuedMessages, impl_->popped);
    for (const auto& [offset, id] : impl_->unacknowledged) impl_->output.acknowledge(id);
    impl_->unacknowledged.clear();
    if (!impl_->popped.empty()) impl_->output.acknowledge(impl_->popped.back().id);
  }
  impl_->thread.join();
}

Result<std::unique_ptr<LocalSource>> LocalSource::create(AgentConfig config, OpenLedger open_ledger) {
  auto source = std::unique_ptr<LocalSource>(new LocalSource());
  Impl* impl = source->impl_.get();
  impl->open_ledger = std::move(open_ledger);
  auto agent = Agent::create(config, impl->output, AgentOptions{.position_of = [impl](const SourceId& id) {
                               return impl->position_of(id);
                             }});
  if (!agent) return std::unexpected(agent.error());
  impl->agent = std::move(*agent);
  return source;
}

AgentStatus LocalSource::agent_status() const { return impl_->agent->status(); }

Result<void> LocalSource::poll(std::chrono::milliseconds timeout, std::size_t max_events,
                               std::vector<SourceEvent>& out) {
  if (!impl_->announced) {
    impl_->announced = true;
    out.emplace_back(Assigned{{local_partition()}});
    return {};
  }
  if (impl_->ended) {
    const std::scoped_lock lock(impl_->mutex);
    if (impl_->failure) return std::unexpected(*impl_->failure);
    return fail(Code::kIo, "the reader of the logs ended", "start weir-aggregator again");
  }
  if (!impl_->started || paused_) {
    std::this_thread::sleep_for(timeout);  // nothing can arrive: keep the engine's pace
    return {};
  }
  impl_->popped.clear();
  impl_->output.pop(timeout, max_events, impl_->popped);
  for (Message& message : impl_->popped) {
    SourceMessage received;
    received.partition = local_partition();
    received.offset = impl_->next_offset++;
    received.payload = std::move(message.payload);
    received.timestamp_ms = now_ms();
    impl_->unacknowledged.emplace_back(received.offset, message.id);
    out.emplace_back(std::move(received));
  }
  return {};
}

Result<void> LocalSource::start_at(const PartitionKey&, std::int64_t offset) {
  if (impl_->started) {
    return fail(Code::kFenced, "another weir-aggregator has taken over the store",
                "stop one of the two, or give each its own --store");
  }
  impl_->started = true;
  impl_->next_offset = offset < 0 ? 0 : offset;
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
  return {};
}

void LocalSource::committed(const PartitionKey&, std::int64_t next_offset) {
  std::optional<std::uint64_t> up_to;
  while (!impl_->unacknowledged.empty() && impl_->unacknowledged.front().first < next_offset) {
    up_to = impl_->unacknowledged.front().second;
    impl_->unacknowledged.pop_front();
  }
  if (up_to) impl_->output.acknowledge(*up_to);
}

std::string LocalSource::status() const {
  {
    const std::scoped_lock lock(impl_->mutex);
    if (!impl_->position_problem.empty()) return impl_->position_problem;
  }
  const AgentStatus status = impl_->agent->status();
  if (status.problems.empty()) return {};
  if (status.problems.size() == 1) return status.problems.front();
  return fmt::format("{} (and {} more)", status.problems.front(), status.problems.size() - 1);
}

}  // namespace weir
