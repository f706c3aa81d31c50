#include "aggregator/warn/warner.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <mutex>
#include <random>
#include <thread>
#include <utility>

#include "aggregator/warn/mail_text.h"
#include "aggregator/warn/mailer.h"
#include "aggregator/warn/outbox.h"
#include "aggregator/warn/rules.h"

namespace weir {
namespace {

constexpr std::size_t kMaxRows = 2'000'000;
constexpr std::int64_t kLookBackSeconds = 7 * 86400;
constexpr auto kForgetEvery = std::chrono::minutes(1);
constexpr std::size_t kForgottenAtOnce = 1000;  // a step that no commit has to wait for long
constexpr auto kSayAgainAfter = std::chrono::minutes(1);

void say(const std::string& sentence) { fmt::print(stderr, "weir-aggregator: {}\n", sentence); }

std::int64_t clock_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string random_owner() {
  std::random_device device;
  return fmt::format("{:08x}{:08x}", device(), device());
}

constexpr std::string_view kLease = "warn";
std::int64_t lease_ms(std::chrono::milliseconds interval) {
  return std::max<std::int64_t>(2000, 4 * interval.count());
}

}  // namespace

struct Warner::Impl {
  Impl(WarnerConfig config_in, OpenStore open_in)
      : config(std::move(config_in)), open_store(std::move(open_in)), owner(random_owner()) {
    if (config.mail) mailer = make_smtp_mailer(*config.mail, stopping);
  }

  void run() {
    while (!stopping) {
      std::string problem;
      if (const auto done = round(problem); !done) {
        store.reset();  // its connection may be broken: open another
        problem = fmt::format("warnings: {}; {}", done.error().what, done.error().hint);
      }
      say_problem(problem);
      {
        const std::lock_guard lock(mutex);
        status.problem = std::move(problem);
      }
      std::unique_lock lock(mutex);
      wake.wait_for(lock, config.interval, [this] { return stopping.load(); });
    }
    give_up_lease();
  }

  // In the journal: a new problem at once, the same one once a minute.
  void say_problem(const std::string& problem) {
    const auto now = std::chrono::steady_clock::now();
    if (!problem.empty() && (problem != said || now >= say_again)) {
      say(problem);
      say_again = now + kSayAgainAfter;
    }
    said = problem;
  }

  Result<void> round(std::string& problem) {
    if (!store) {
      auto opened = open_store();
      if (!opened) return std::unexpected(opened.error());
      store = std::move(*opened);
    }
    if (const auto done = warn(); !done) return done;
    if (const auto done = forget(); !done) return done;
    if (mailer) {
      const auto sent = deliver_due(*store, *mailer, clock_ms, [this] { return stopping.load(); });
      if (!sent) return std::unexpected(sent.error());
      if (sent->delivered > 0 || !sent->problem.empty()) mail_problem = sent->problem;
      const std::lock_guard lock(mutex);
      status.mails_delivered += sent->delivered;
    }
    auto by_channel = store->letters_waiting();
    if (!by_channel) return std::unexpected(by_channel.error());
    const std::uint64_t waiting = (*by_channel)[std::string(kMailChannel)];
    if (waiting == 0) mail_problem.clear();
    problem = mail_problem;
    if (problem.empty() && !mailer && waiting > 0) {
      problem =
          fmt::format("{} mails wait in the outbox and no mail server is configured; add [mail]", waiting);
    }
    const std::lock_guard lock(mutex);
    status.mails_waiting = waiting;
    return {};
  }

  Result<void> forget() {
    const auto now = std::chrono::steady_clock::now();
    if (config.forget_after.count() <= 0 || now < next_forget) return {};
    const auto now_ms = clock_ms();
    const auto after = config.forget_after.count();
    const auto forgotten = store->forget_sources(now_ms - after, now_ms - 2 * after, kForgottenAtOnce);
    if (!forgotten) return std::unexpected(forgotten.error());
    next_forget = now + kForgetEvery;
    if (*forgotten > 0) say(fmt::format("{} logs that were not heard of for long are forgotten", *forgotten));
    return {};
  }

  Result<void> warn() {
    auto states = store->alerts();
    if (!states) return std::unexpected(states.error());
    const std::int64_t now_ms = clock_ms();
    // One aggregator of several warns: the one that has the lease.
    const auto leads = store->lease(kLease, owner, now_ms, lease_ms(config.interval));
    if (!leads) return std::unexpected(leads.error());
    if (!*leads) {
      const auto firing = std::count_if(states->begin(), states->end(),
                                        [](const AlertState& s) { return s.phase == AlertPhase::kFiring; });
      set_firing(static_cast<std::size_t>(firing));
      return {};
    }
    auto facts = gather(now_ms);
    if (!facts) return std::unexpected(facts.error());
    const auto sites = store->sites();
    if (!sites) return std::unexpected(sites.error());
    Evaluation evaluation = evaluate(*facts, *states, *sites);
    AlertChanges changes;
    changes.states = std::move(evaluation.changed);
    if (config.mail)
      changes.letters = write_mails(evaluation.notices, config.mail->to, config.page_url, now_ms);
    if (const auto saved = store->save_alerts(changes); !saved) return saved;
    for (const Notice& notice : evaluation.notices) say(describe(notice));
    set_firing(evaluation.firing);
    return {};
  }

  // The sums that each rule looks at; rules of one range share a query.
  Result<std::vector<RuleFacts>> gather(std::int64_t now_ms) {
    const auto agents = store->agents();
    if (!agents) return std::unexpected(agents.error());
    const std::int64_t window_s = std::max<std::int64_t>(1, config.window.count());
    const Completeness completeness = completeness_of(*agents, now_ms, window_s);
    std::map<RuleRange, SubjectSums> sums;
    std::vector<RuleFacts> out;
    for (const RuleConfig& rule : config.rules) {
      const RuleRange range = range_of(rule, completeness, window_s);
      auto found = sums.find(range);
      if (found == sums.end()) {
        TrafficQuery query;
        query.from_s = range.begin_s;
        query.to_s = range.end_s;
        query.by_site = true;
        query.by_status = true;
        const auto rows = store->traffic(query, kMaxRows);
        if (!rows) return std::unexpected(rows.error());
        found = sums.emplace(range, sum_subjects(*rows)).first;
      }
      const auto known = known_before(range.begin_s);
      if (!known) return std::unexpected(known.error());
      out.push_back({rule, range, found->second, *known});
    }
    return out;
  }

  // Whether the store has windows before `begin_s`. Once it has, it has them for good.
  Result<bool> known_before(std::int64_t begin_s) {
    if (oldest_known_s && *oldest_known_s < begin_s) return true;
    TrafficQuery query;
    query.from_s = begin_s - kLookBackSeconds;
    query.to_s = begin_s;
    const auto rows = store->traffic(query, kMaxRows);
    if (!rows) return std::unexpected(rows.error());
    if (rows->empty()) return false;
    oldest_known_s = rows->front().start_s;
    return true;
  }

  void set_firing(std::size_t firing) {
    const std::lock_guard lock(mutex);
    status.firing = firing;
  }

  // So that another aggregator, or this one's next start, need not wait for the lease to end.
  void give_up_lease() {
    if (!store) return;
    // Should it fail, the lease runs out by itself.
    (void)store->lease(kLease, owner, clock_ms(), 0).has_value();
  }

  WarnerConfig config;
  OpenStore open_store;
  const std::string owner;  // of the lease
  std::atomic<bool> stopping{false};
  std::unique_ptr<Mailer> mailer;
  std::unique_ptr<Store> store;
  std::optional<std::int64_t> oldest_known_s;
  std::string mail_problem;
  std::string said;
  std::chrono::steady_clock::time_point say_again;
  std::chrono::steady_clock::time_point next_forget;
  std::mutex mutex;  // of status, and of wake
  std::condition_variable wake;
  WarnerStatus status;
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

WarnerStatus Warner::status() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->status;
}

}  // namespace weir
