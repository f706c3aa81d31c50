#include "aggregator/warn/warner.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <utility>

#include "aggregator/warn/alert_text.h"
#include "aggregator/warn/outbox.h"

namespace weir {
namespace {

constexpr std::int64_t kForgetEveryMs = 60'000;
constexpr std::size_t kForgottenAtOnce = 1000;  // few enough that no commit waits long for this transaction
constexpr std::int64_t kSayAgainAfterMs = 60'000;
constexpr std::string_view kLease = "warn";

std::string random_owner() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}", device(), device());
}

std::int64_t lease_ms(std::chrono::milliseconds interval) {
  return std::max<std::int64_t>(2000, 4 * interval.count());
}

std::size_t count_firing(const std::vector<AlertState>& states) {
  return static_cast<std::size_t>(std::count_if(
      states.begin(), states.end(), [](const AlertState& s) { return s.phase == AlertPhase::kFiring; }));
}

}  // namespace

struct Warner::Impl {
  Impl(WarnerConfig config_in, OpenStore open_in)
      : config(std::move(config_in)),
        open_store(std::move(open_in)),
        owner(random_owner()),
        alert_round(std::max<std::int64_t>(1, config.window.count())) {
    open_channels();
  }

  void run() {
    while (!stopping) {
      take_reload();
      std::string problem;
      if (const auto done = round(problem); !done) {
        store.reset();  // its connection may be broken: open a new one
        problem = "warnings: " + done.error().sentence();
      }
      say_problem(problem);
      std::unique_lock lock(mutex);
      status.problem = std::move(problem);
      wake.wait_for(lock, config.interval, [this] { return stopping.load() || next_config.has_value(); });
    }
    give_up_lease();
  }

  void take_reload() {
    std::optional<WarnerConfig> next;
    {
      const std::lock_guard lock(mutex);
      next = std::exchange(next_config, std::nullopt);
    }
    if (!next) return;
    static_cast<AlertRoundConfig&>(config) = *next;
    config.forget_after = next->forget_after;
    open_channels();
  }

  void open_channels() {
    deliverers.clear();
    channel_problems.clear();
    for (const ChannelRow& channel : channels()) {
      if (auto deliverer = channel.open(config.channels, stopping))
        deliverers.emplace(channel.name, std::move(deliverer));
    }
  }

  // Logs a new problem at once, and the same one once a minute.
  void say_problem(const std::string& problem) {
    const std::int64_t now_ms = config.clock->steady_ms();
    if (!problem.empty() && (problem != said || now_ms >= say_again_ms)) {
      say(LogLevel::kWarning, problem);
      say_again_ms = now_ms + kSayAgainAfterMs;
    }
    said = problem;
  }

  void say(LogLevel level, const std::string& sentence) const {
    if (config.say) config.say(level, sentence);
  }

  Result<void> round(std::string& problem) {
    if (!store) {
      auto opened = open_store();
      if (!opened) return std::unexpected(opened.error());
      store = std::move(*opened);
    }
    if (const auto done = warn(); !done) return done;
    if (const auto done = forget(); !done) return done;
    if (const auto done = deliver(); !done) return done;
    const auto waiting = store->letters_waiting();
    if (!waiting) return std::unexpected(waiting.error());
    problem = outbox_problem(*waiting);
    const std::lock_guard lock(mutex);
    status.waiting = *waiting;
    return {};
  }

  // Of several aggregators, only the one that holds the lease evaluates.
  Result<void> warn() {
    const std::int64_t now_ms = config.clock->wall_ms();
    const auto leads = store->lease(kLease, owner, now_ms, lease_ms(config.interval));
    if (!leads) return std::unexpected(leads.error());
    if (!*leads) {
      const auto states = store->alerts();
      if (!states) return std::unexpected(states.error());
      set_firing(count_firing(*states));
      return {};
    }
    const auto evaluation = alert_round.run(config, *store, *store, now_ms);
    if (!evaluation) return std::unexpected(evaluation.error());
    for (const Notice& notice : evaluation->notices)
      say(notice.firing ? LogLevel::kWarning : LogLevel::kInfo, describe(notice));
    set_firing(evaluation->firing);
    return {};
  }

  Result<void> forget() {
    const std::int64_t now_ms = config.clock->steady_ms();
    if (config.forget_after.count() <= 0 || now_ms < next_forget_ms) return {};
    const auto wall_ms = config.clock->wall_ms();
    const auto after = config.forget_after.count();
    const auto forgotten = store->forget_sources(wall_ms - after, wall_ms - 2 * after, kForgottenAtOnce);
    if (!forgotten) return std::unexpected(forgotten.error());
    next_forget_ms = now_ms + kForgetEveryMs;
    if (*forgotten > 0)
      say(LogLevel::kInfo, fmt::format("forgot {} logs that no agent has named for long", *forgotten));
    return {};
  }

  Result<void> deliver() {
    for (const auto& [channel, deliverer] : deliverers) {
      const auto sent =
          deliver_due(*store, channel, *deliverer, *config.clock, [this] { return stopping.load(); });
      if (!sent) return std::unexpected(sent.error());
      if (sent->delivered > 0 || !sent->problem.empty()) channel_problems[channel] = sent->problem;
      const std::lock_guard lock(mutex);
      if (sent->delivered > 0) status.delivered[channel] += sent->delivered;
    }
    return {};
  }

  // Why letters are waiting. A channel without letters has no problem.
  std::string outbox_problem(const std::map<std::string, std::uint64_t>& waiting) {
    std::erase_if(channel_problems, [&](const auto& entry) { return !waiting.contains(entry.first); });
    std::string out;
    const auto add = [&](const std::string& sentence) {
      if (!out.empty() && !sentence.empty()) out += "; ";
      out += sentence;
    };
    for (const auto& [channel, letters] : waiting) {
      if (deliverers.contains(channel)) {
        add(channel_problems[channel]);
        continue;
      }
      const ChannelRow* row = channel_named(channel);
      add(fmt::format("{} alerts wait in the outbox for the channel {}, which is not configured; {}", letters,
                      channel, row != nullptr ? row->add_hint : "start the weir-aggregator that knows it"));
    }
    return out;
  }

  void set_firing(std::size_t firing) {
    const std::lock_guard lock(mutex);
    status.firing = firing;
  }

  // Lets another aggregator, or this one after a restart, take the lease without waiting for it to expire.
  void give_up_lease() {
    if (!store) return;
    // If this fails, the lease expires by itself.
    (void)store->lease(kLease, owner, config.clock->wall_ms(), 0).has_value();
  }

  // Used by the thread of run() only, except for what the mutex guards.
  WarnerConfig config;
  OpenStore open_store;
  const std::string owner;  // of the lease
  AlertRound alert_round;
  std::atomic<bool> stopping{false};
  std::map<std::string, std::unique_ptr<Deliverer>, std::less<>> deliverers;  // by channel
  std::map<std::string, std::string> channel_problems;
  std::unique_ptr<Store> store;
  std::string said;
  std::int64_t say_again_ms = 0;
  std::int64_t next_forget_ms = 0;
  std::mutex mutex;
  std::condition_variable wake;
  std::optional<WarnerConfig> next_config;  // GUARDED_BY(mutex)
  WarnerStatus status;                      // GUARDED_BY(mutex)
  std::thread thread;
};

Warner::Warner(WarnerConfig config, OpenStore open_store)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(open_store))) {
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

Warner::~Warner() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_all();
  impl_->thread.join();
}

void Warner::reload(WarnerConfig config) {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->next_config = std::move(config);
  }
  impl_->wake.notify_all();
}

WarnerStatus Warner::status() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->status;
}

}  // namespace weir
