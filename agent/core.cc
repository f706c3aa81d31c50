#include "agent/core.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

#include "agent/core_impl.h"

namespace weir {
namespace {

constexpr std::int64_t kRegistryFlushMs = 200;
constexpr std::int64_t kScanPauseMs = 10;  // between two that events ask for
constexpr std::int64_t kSayAgainMs = 60'000;
// Without anything due; and while something is tried again, or to be said.
constexpr std::int64_t kMaxRestMs = 10'000;
constexpr std::int64_t kTroubleMs = 1000;

// Whether `path` is what `pattern` looks for, or a folder on the way to it.
bool on_the_way(const std::string& pattern, const std::string& path) {
  auto depth = std::count(path.begin(), path.end(), '/');
  std::size_t end = 0;
  for (; end < pattern.size(); ++end) {
    if (pattern[end] == '/' && depth-- == 0) break;
  }
  return ::fnmatch(pattern.substr(0, end).c_str(), path.c_str(), FNM_PATHNAME) == 0;
}

}  // namespace

bool AgentCore::Impl::caught_up() const {
  return scanned && !scan_wanted && held.empty() && leaving.empty() && registry->losses().empty() &&
         std::all_of(sources.begin(), sources.end(),
                     [](const auto& entry) { return entry.second->drained(); });
}

// What is new at once, what lasts once a minute: a broker that is away for a night fills no journal.
void AgentCore::Impl::say_trouble() {
  if (!options.say) return;
  std::map<std::string, std::string> sentences;  // by what they are about
  const auto status = output.status();
  if (!status.blocked_because.empty()) {
    sentences["output"] = fmt::format("output: {}; {} bytes wait for it, the files keep the rest",
                                      status.blocked_because, in_flight_bytes);
  }
  if (!registry_problem.empty()) sentences["registry"] = registry_problem;
  for (const auto& [path, what] : problems) sentences[path] = what;
  const auto crowded = [this](std::int64_t at_ms) { return at_ms != 0 && now() - at_ms < kSayAgainMs; };
  for (auto at = sources.begin(); crowded(last_crowded_ms) && at != sources.end(); ++at) {
    const auto& source = *at->second;
    if (crowded(source.crowded_ms) && sentences.size() < kMaxProblems)
      sentences[source.path] =
          source.path +
          ": its lines are of so many sites or minutes that batches of windows are closed early: "
          "nothing is lost, more is sent; is somebody making up host names?";
  }
  std::erase_if(said_ms, [&](const auto& said) { return now() - said.second >= kSayAgainMs; });
  for (const auto& [about, what] : sentences) {
    if (said_ms.try_emplace(about, now()).second) options.say(what);
  }
}

// Sources go on under the new inputs; those whose input is gone are left.
void AgentCore::Impl::take_config() {
  auto fresh = std::move(*next_config);
  next_config.reset();
  fresh.id = config.id;
  fresh.state_dir = config.state_dir;
  const auto old = std::exchange(config, std::move(fresh));  // keeps the inputs that sources point to
  backlog = BacklogBudget(config.ship.backlog);
  parsers.clear();
  std::vector<std::shared_ptr<Source>> gone;
  for (auto& [key, source] : sources) {
    remember(*source);
    const auto input = std::find_if(config.inputs.begin(), config.inputs.end(), [&](const auto& candidate) {
      return candidate.name == source->input->name;
    });
    auto parser =
        input == config.inputs.end() ? Result<std::shared_ptr<LineParser>>(nullptr) : parser_for(*input);
    if (!parser || *parser == nullptr) {
      gone.push_back(source);
      continue;
    }
    source->input = &*input;
    source->parser = std::move(*parser);
    source->reader.rewind(source->reader.offset(), source->reader.tail_hash());
  }
  for (const auto& source : gone) {
    remove(source);
    drop_living(source->id);
  }
  scan_wanted = true;
}

void AgentCore::Impl::housekeeping() {
  if (next_config && in_flight.empty() && held.empty() && leaving.empty()) take_config();
  if (stopping || next_config) {
    if (next_config && !leaving.empty()) settle_leaving();
    return;
  }
  if (!scanned || now() - last_scan_ms >= scan_pause_ms(scan_wanted)) scan();
}

// From the end of one to the next, and no shorter than it took: where a look at many thousand files takes
// longer than the interval, half of the time is left for reading them.
std::int64_t AgentCore::Impl::scan_pause_ms(bool wanted) const {
  return std::max<std::int64_t>(wanted ? kScanPauseMs : config.tail.scan_interval.count(), scan_took_ms);
}

// ---- The outside

AgentCore::AgentCore() = default;
AgentCore::~AgentCore() = default;

Result<std::unique_ptr<AgentCore>> AgentCore::create(const AgentConfig& config, Parts parts,
                                                     AgentOptions options) {
  std::unique_ptr<AgentCore> core(new AgentCore);
  core->impl_ = std::make_unique<Impl>(parts.output, parts.files, parts.clock);
  auto& impl = *core->impl_;
  impl.config = config;
  impl.registry = std::move(parts.registry);
  impl.host = std::move(parts.host);
  impl.options = std::move(options);
  if (impl.config.id.empty()) impl.config.id = impl.host;
  impl.backlog = BacklogBudget(config.ship.backlog);
  const auto& name =
      config.output.kind == OutputKind::kKafka ? config.output.kafka.codec : config.output.text_codec;
  impl.codec = name == "raw" ? Codec::kRaw : name == "json" ? Codec::kJson : Codec::kBatch;
  // A single box has no topic between, and counts each line where it is parsed.
  if (config.output.kind == OutputKind::kKafka && impl.codec == Codec::kBatch && !impl.options.position_of)
    impl.ships = config.output.kafka.ship;
  impl.batch = std::make_unique<LineBatch>(impl.codec, config.ship.zstd_level);
  impl.last_heartbeat_ms = impl.last_scan_ms = impl.last_flush_ms = impl.last_poll_ms = impl.now();
  if (!impl.registry->note().empty() && impl.options.say) impl.options.say(impl.registry->note());
  impl.output.set_on_settled(
      [self = core->impl_.get()](std::uint64_t id, const Error* error) { self->settled(id, error); });
  return core;
}

bool AgentCore::work() {
  auto& impl = *impl_;
  impl.output.poll();
  impl.housekeeping();
  return !impl.next_config && impl.pump();
}

void AgentCore::tick() {
  auto& impl = *impl_;
  const auto now = impl.now();
  if (now - impl.last_poll_ms >= impl.config.tail.poll_interval.count()) {
    impl.poll_sizes();
    impl.close_finished();
  }
  if (!impl.leaving.empty() && !impl.scan_wanted) impl.settle_leaving();
  if (now - impl.last_flush_ms >= kRegistryFlushMs) impl.flush_registry();
  if (!impl.stopping && now - impl.last_heartbeat_ms >= impl.config.ship.heartbeat_interval.count())
    impl.heartbeat();
  impl.say_trouble();
}

bool AgentCore::quiet() const {
  const auto& impl = *impl_;
  return impl.scanned && !impl.scan_wanted && !impl.stopping && !impl.next_config && impl.held.empty() &&
         impl.staged.empty() && impl.in_flight.size() == impl.heartbeats_in_flight && impl.live.empty() &&
         impl.rotated.empty() && impl.packed.empty() && impl.leaving.empty() &&
         impl.registry->losses().empty() && impl.flushed_changes == impl.changes;
}

std::int64_t AgentCore::due_in_ms() const {
  const auto& impl = *impl_;
  const auto now = impl.now();
  auto at_ms = now + kMaxRestMs;
  const auto due = [&at_ms](std::int64_t last_ms, std::chrono::milliseconds every) {
    at_ms = std::min(at_ms, last_ms + every.count());
  };
  due(impl.last_scan_ms, std::chrono::milliseconds(impl.scan_pause_ms(false)));
  due(impl.last_heartbeat_ms, impl.config.ship.heartbeat_interval);
  if (!impl.all_told || !impl.all_present) due(impl.last_poll_ms, impl.config.tail.poll_interval);
  const auto output = impl.output.status();
  const bool well = output.connected && output.blocked_because.empty() && impl.registry_problem.empty() &&
                    impl.problems.empty();
  if (!well) at_ms = std::min(at_ms, now + kTroubleMs);
  return std::max<std::int64_t>(1, at_ms - now);
}

std::uint64_t AgentCore::changes() const { return impl_->changes; }

void AgentCore::path_changed(const std::string& path, bool name_changed) {
  auto& impl = *impl_;
  if (const auto known = impl.by_path.find(path); known != impl.by_path.end()) {
    impl.mark(known->second);
    if (name_changed) impl.scan_wanted = true;
    return;
  }
  for (const auto& input : impl.config.inputs) {
    if (std::any_of(input.paths.begin(), input.paths.end(),
                    [&](const auto& pattern) { return on_the_way(pattern, path); })) {
      impl.scan_wanted = true;
      return;
    }
  }
}

void AgentCore::look_everywhere() { impl_->scan_wanted = true; }
const std::set<std::string>& AgentCore::folders_to_watch() const { return impl_->folders; }
void AgentCore::set_watched(std::set<std::string> folders) {
  impl_->watched = std::move(folders);
  impl_->note_present_and_told();
}
std::uint64_t AgentCore::scans() const { return impl_->scan_count; }
void AgentCore::reload(AgentConfig config) { impl_->next_config = std::move(config); }

void AgentCore::stop() {
  if (std::exchange(impl_->stopping, true)) return;
  impl_->stop_asked_ms = impl_->now();
}

bool AgentCore::done() const {
  const auto& impl = *impl_;
  return impl.stopping && ((impl.in_flight.empty() && impl.held.empty()) ||
                           impl.now() - impl.stop_asked_ms > impl.config.ship.shutdown_timeout.count());
}

void AgentCore::finish() {
  for (const auto& source : impl_->leaving) impl_->remember(*source);
  impl_->flush_registry();
}

AgentStatus AgentCore::status() const {
  const auto& impl = *impl_;
  AgentStatus status = impl.totals;
  status.caught_up = impl.caught_up();
  status.in_flight_bytes = impl.in_flight_bytes;
  status.losses_waiting = impl.registry->losses().size();
  status.output = impl.output.status();
  status.source_count = impl.sources.size();
  status.sources.reserve(std::min(status.source_count, kMaxSourcesShown));
  for (const auto& [key, source] : impl.sources) {
    if (status.sources.size() < kMaxSourcesShown) {
      status.sources.push_back({source->id, source->path, source->input->name, source->size(),
                                source->reader.offset(), source->sent.acknowledged_offset(),
                                source->last_acknowledged_ms, source->state()});
    }
    if (source->rotated)
      status.backlog_bytes += source->size() - std::min(source->size(), source->sent.acknowledged_offset());
    if (!source->trouble.empty()) status.problems.push_back(source->trouble);
  }
  if (!impl.registry_problem.empty()) status.problems.push_back(impl.registry_problem);
  for (const auto& [path, what] : impl.problems) status.problems.push_back(what);
  return status;
}

std::vector<PlanLine> AgentCore::plan() {
  std::vector<PlanLine> lines;
  impl_->planned = &lines;
  impl_->scan();
  impl_->planned = nullptr;
  for (const auto& [path, what] : impl_->problems) lines.push_back({path, {}, 0, 0, what});
  return lines;
}

}  // namespace weir
