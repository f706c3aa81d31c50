#include "aggregator/reload.h"

#include <utility>

#include "proto/must.h"

namespace weir {
namespace {

// A running source can change its format of raw lines, but nothing else.
bool same_source(const std::optional<KafkaSourceConfig>& a, const std::optional<KafkaSourceConfig>& b) {
  if (!a || !b) return a.has_value() == b.has_value();
  return static_cast<const KafkaConnection&>(*a) == static_cast<const KafkaConnection&>(*b) &&
         a->topics == b->topics && a->group == b->group;
}

class Plan {
 public:
  Plan(const AggregatorConfig& running, AggregatorConfig fresh) : running_(running) {
    plan_.config = std::move(fresh);
  }

  template <class Member>
  void keep(const char* key, Member AggregatorConfig::* member) {
    if (plan_.config.*member == running_.*member) return;
    plan_.needs_restart.emplace_back(key);
    plan_.config.*member = running_.*member;
  }

  template <class Member>
  void keep(const char* key, Member SettleConfig::* member) {
    if (plan_.config.settle.*member == running_.settle.*member) return;
    plan_.needs_restart.emplace_back(key);
    plan_.config.settle.*member = running_.settle.*member;
  }

  void keep_source() {
    auto& fresh = plan_.config.kafka;
    if (same_source(running_.kafka, fresh)) return;
    plan_.needs_restart.emplace_back("source.kafka");
    // The old source with the new format, if the new configuration still has a source.
    const auto format = fresh ? fresh->format : FormatSpec{};
    const bool has_format = fresh.has_value();
    fresh = running_.kafka;
    if (fresh && has_format) fresh->format = format;
  }

  // The new file may change the format, drop it, or define one with the name of a known format.
  void keep_format(const std::string& name) {
    if (name.empty()) return;
    auto& fresh = plan_.config.formats;
    const auto old = running_.formats.find(name);
    const auto now = fresh.find(name);
    const bool had = old != running_.formats.end();
    const bool has = now != fresh.end();
    if (had == has && (!had || old->second == now->second)) return;
    plan_.needs_restart.push_back("format." + name);
    if (had) {
      fresh.insert_or_assign(name, old->second);
    } else {
      fresh.erase(now);
    }
  }

  [[nodiscard]] ReloadPlan take() { return std::move(plan_); }

 private:
  const AggregatorConfig& running_;
  ReloadPlan plan_;
};

}  // namespace

ReloadPlan plan_reload(const AggregatorConfig& running, AggregatorConfig fresh,
                       const std::string& used_format) {
  Plan plan(running, std::move(fresh));
  plan.keep_source();
  plan.keep_format(used_format);
  plan.keep("store.mysql", &AggregatorConfig::mysql);
  plan.keep("store.sqlite", &AggregatorConfig::sqlite_path);
  plan.keep("window.length", &AggregatorConfig::window);
  plan.keep("pages.listen", &AggregatorConfig::pages_listen);
  plan.keep("settle.commit_interval", &SettleConfig::commit_interval);
  plan.keep("settle.max_pending_bytes", &SettleConfig::max_pending_bytes);
  plan.keep("settle.max_sites", &SettleConfig::max_sites);
  ReloadPlan out = plan.take();
  MUST(same_source(out.config.kafka, running.kafka) && out.config.mysql == running.mysql &&
           out.config.sqlite_path == running.sqlite_path && out.config.pages_listen == running.pages_listen,
       "a reload keeps source, store and listening address");
  return out;
}

}  // namespace weir
