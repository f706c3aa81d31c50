#include "agent/core.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

#include "agent/core_impl.h"

namespace weir {
namespace {

constexpr std::int64_t kRegistryFlushMs = 200;
constexpr std::int64_t kLookPauseMs = 10;    // between two scans requested by events
constexpr std::int64_t kCrowdedMs = 60'000;  // how long a batch that was closed early is reported
// The longest rest when nothing is due, and the rest while something is being retried or must be reported.
constexpr std::int64_t kMaxRestMs = 10'000;
constexpr std::int64_t kTroubleMs = 1000;

// Whether `path` matches `pattern` or is a folder on the way to a match.
bool on_the_way(const std::string& pattern, const std::string& path) {
  auto depth = std::count(path.begin(), path.end(), '/');
  std::size_t end = 0;
  for (; end < pattern.size(); ++end) {
    if (pattern[end] == '/' && depth-- == 0) break;
  }
  return ::fnmatch(pattern.substr(0, end).c_str(), path.c_str(), FNM_PATHNAME) == 0;
}

}  // namespace

AgentCore::Impl::Impl(const AgentConfig& configuration, Parts parts, AgentOptions chosen)
    : config(configuration),
      output(parts.output),
      files(parts.files),
      clock(parts.clock),
      options(std::move(chosen)),
      registry(std::move(parts.registry)),
      host(std::move(parts.host)),
      // A single box has no topic in between, and counts each line in the process that parses it.
      routes(options.position_of
                 ? std::vector{RouteConfig{.codec = config.output.codec, .topic = {}, .topic_key = {}}}
                 : routes_of(config.output)),
      batch(config.ship.zstd_level),
      lanes(config.ship.backlog),
      flight(output, config.ship.max_in_flight, [this](const Flight::Settled& done) { settled(done); }),
      claims(config.output.kafka.acks == "all") {
  if (config.id.empty()) config.id = host;
  last_heartbeat_ms = last_scan_ms = last_flush_ms = last_poll_ms = now();
  if (!registry->note().empty()) say(LogLevel::kWarning, registry->note());
}

bool AgentCore::Impl::caught_up() const {
  return scanned && !scan_wanted && flight.held() == 0 && sources.leaving().empty() &&
         registry->losses().empty() &&
         std::all_of(sources.followed().begin(), sources.followed().end(),
                     [](const auto& entry) { return entry.second->drained(); });
}

void AgentCore::Impl::say_troubles() {
  if (!options.say) return;
  std::map<std::string, std::string> more;  // keyed by what they are about
  const auto status = output.status();
  if (!status.blocked_because.empty()) {
    more["output"] = fmt::format("output: {}; {} bytes wait for it, the files keep the rest",
                                 status.blocked_because, flight.bytes());
  }
  const auto is_recent = [this](std::int64_t at_ms) { return at_ms != 0 && now() - at_ms < kCrowdedMs; };
  if (is_recent(last_crowded_ms)) {
    for (const auto& [key, source] : sources.followed()) {
      if (!is_recent(source->crowded_ms) || more.size() >= Troubles::kMost) continue;
      more[source->path] =
          source->path +
          ": its lines are of so many sites or minutes that batches of windows are closed early: "
          "nothing is lost, more is sent; is somebody making up host names?";
    }
  }
  troubles.say(std::move(more), now(), options.say);
}

std::vector<RouteStatus> AgentCore::Impl::route_status() const {
  std::vector<RouteStatus> out;
  const auto& wire_bytes = flight.wire_bytes();
  for (std::size_t route = 0; route < routes.size(); ++route) {
    RouteStatus status{.name = std::string(to_string(routes[route].codec)), .topic = routes[route].topic};
    if (route < wire_bytes.size()) status.wire_bytes = wire_bytes[route];
    for (const auto& [key, source] : sources.followed()) {
      const auto size_bytes = source->size();
      status.lag_bytes += size_bytes - std::min(size_bytes, source->sent.of(route).acknowledged_offset());
    }
    out.push_back(std::move(status));
  }
  return out;
}

// Sources continue under the new inputs. Those whose input is gone are dropped.
void AgentCore::Impl::take_config() {
  auto fresh = std::move(*next_config);
  next_config.reset();
  fresh.id = config.id;
  fresh.state_dir = config.state_dir;
  const auto old = std::exchange(config, std::move(fresh));  // keeps alive the inputs that sources point to
  lanes.set_limits(config.ship.backlog);
  flight.set_max_bytes(config.ship.max_in_flight);
  parsers.clear();
  std::vector<std::shared_ptr<Source>> gone;
  for (const auto& [key, source] : sources.followed()) {
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
  for (const auto& source : gone) sources.drop(source);
  ++changes;
  scan_wanted = true;
}

void AgentCore::Impl::housekeeping() {
  if (next_config && flight.empty() && sources.leaving().empty()) take_config();
  if (stopping || next_config) {
    if (next_config && !sources.leaving().empty()) settle_leaving();
    return;
  }
  if (!scanned || now() - last_scan_ms >= scan_pause_ms(scan_wanted)) scan();
}

// The pause between two scans. It is at least as long as the last scan took. So even if a scan of many
// thousand files takes longer than the interval, half of the time is left for reading them.
std::int64_t AgentCore::Impl::scan_pause_ms(bool wanted) const {
  return std::max<std::int64_t>(wanted ? kLookPauseMs : config.tail.scan_interval.count(), scan_took_ms);
}

// ---- The public interface

AgentCore::AgentCore() = default;
AgentCore::~AgentCore() = default;

Result<std::unique_ptr<AgentCore>> AgentCore::create(const AgentConfig& config, Parts parts,
                                                     AgentOptions options) {
  std::unique_ptr<AgentCore> core(new AgentCore);
  core->impl_ = std::make_unique<Impl>(config, std::move(parts), std::move(options));
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
  if (!impl.sources.leaving().empty() && !impl.scan_wanted) impl.settle_leaving();
  if (now - impl.last_flush_ms >= kRegistryFlushMs) impl.flush_registry();
  if (!impl.stopping && now - impl.last_heartbeat_ms >= impl.config.ship.heartbeat_interval.count())
    impl.heartbeat();
  impl.say_troubles();
}

bool AgentCore::quiet() const {
  const auto& impl = *impl_;
  return impl.scanned && !impl.scan_wanted && !impl.stopping && !impl.next_config && impl.flight.quiet() &&
         impl.lanes.empty() && impl.sources.leaving().empty() && impl.registry->losses().empty() &&
         impl.flushed_changes == impl.changes;
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
  if (!impl.all_watched || !impl.all_present) due(impl.last_poll_ms, impl.config.tail.poll_interval);
  const auto output = impl.output.status();
  const bool well = output.connected && output.blocked_because.empty() && impl.troubles.none();
  if (!well) at_ms = std::min(at_ms, now + kTroubleMs);
  return std::max<std::int64_t>(1, at_ms - now);
}

std::uint64_t AgentCore::changes() const { return impl_->changes; }

void AgentCore::path_changed(const std::string& path, bool name_changed) {
  auto& impl = *impl_;
  if (const auto source = impl.sources.of_path(path)) {
    impl.wake(source);
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
  impl_->note_present_and_watched();
}
std::uint64_t AgentCore::scans() const { return impl_->scan_count; }
void AgentCore::reload(AgentConfig config) { impl_->next_config = std::move(config); }

void AgentCore::stop() {
  if (std::exchange(impl_->stopping, true)) return;
  impl_->stop_asked_ms = impl_->now();
}

bool AgentCore::done() const {
  const auto& impl = *impl_;
  return impl.stopping &&
         (impl.flight.empty() || impl.now() - impl.stop_asked_ms > impl.config.ship.shutdown_timeout.count());
}

void AgentCore::finish() {
  for (const auto& source : impl_->sources.leaving()) impl_->remember(*source);
  impl_->flush_registry();
}

AgentStatus AgentCore::status() const {
  const auto& impl = *impl_;
  AgentStatus status = impl.totals;
  status.caught_up = impl.caught_up();
  status.routes = impl.route_status();
  for (const auto& route : status.routes) status.wire_bytes += route.wire_bytes;
  status.in_flight_bytes = impl.flight.bytes();
  status.losses_waiting = impl.registry->losses().size();
  status.output = impl.output.status();
  status.source_count = impl.sources.followed().size();
  status.sources.reserve(std::min(status.source_count, kMaxSourcesShown));
  for (const auto& [key, source] : impl.sources.followed()) {
    if (status.sources.size() < kMaxSourcesShown) {
      status.sources.push_back({source->id, source->path, source->input->name, source->size(),
                                source->reader.offset(), source->sent.acknowledged_offset(),
                                source->last_acknowledged_ms, source->condition(),
                                impl.offsets_ahead(*source)});
    }
    if (source->lane.rotated())
      status.backlog_bytes += source->size() - std::min(source->size(), source->sent.acknowledged_offset());
    if (!source->trouble.none()) status.problems.push_back(source->trouble.text);
  }
  for (auto& trouble : impl.troubles.sentences()) status.problems.push_back(std::move(trouble));
  return status;
}

std::vector<PlanLine> AgentCore::plan() {
  std::vector<PlanLine> lines;
  for (const auto& decision : impl_->scan()) {
    if (decision.why.empty()) continue;
    lines.push_back({decision.path, decision.id, decision.offset,
                     decision.id == SourceId{} ? 0 : decision.size_bytes, decision.why});
  }
  for (const auto& [path, what] : impl_->troubles.of_files()) lines.push_back({path, {}, 0, 0, what});
  return lines;
}

}  // namespace weir
