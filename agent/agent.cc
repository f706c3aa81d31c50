// The agent's event loop: libuv drives the core, inotify hints at changed files, and other threads ask for
// its status or stop it.
#include "agent/agent.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>
#include <uv.h>

#include <algorithm>
#include <array>
#include <map>
#include <mutex>
#include <set>
#include <utility>

#include "agent/core.h"
#include "agent/tail/registry.h"
#include "common/host_name.h"
#include "common/log.h"

namespace weir {
namespace {

constexpr std::uint64_t kTickMs = 100;
constexpr std::int64_t kPublishMs = 500;
constexpr std::int64_t kPublishSoonMs = 20;
// Descriptors for the registry, the output's connections, metrics and the scan of a file.
constexpr rlim_t kReservedDescriptors = 128;

// Raises the soft limit to the hard limit. Returns how many files may then be open.
std::size_t open_file_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return SIZE_MAX;
  if (limit.rlim_cur < limit.rlim_max) {
    rlimit raised{limit.rlim_max, limit.rlim_max};
    if (::setrlimit(RLIMIT_NOFILE, &raised) == 0) limit = raised;
  }
  const auto reserved = std::min(kReservedDescriptors, limit.rlim_cur / 2);
  return limit.rlim_cur == RLIM_INFINITY ? SIZE_MAX : static_cast<std::size_t>(limit.rlim_cur - reserved);
}

struct Watch {
  uv_fs_event_t event{};
  // Identify the folder. A recreated folder is a different one but may have the old inode.
  std::uint64_t device = 0, inode = 0;
  std::int64_t birth_ns = 0;
  bool works = false;
};

}  // namespace

// Connects the core to libuv's loop, to inotify and to other threads.
struct Agent::Impl {
  Log log{"weir-agent"};  // used if the caller gave no Say
  AgentConfig config;
  Output* output = nullptr;
  std::unique_ptr<AgentCore> core;
  std::map<std::string, Watch*> watches;  // owned by libuv until their close callback
  std::uint64_t watched_scan = 0;
  std::int64_t last_published_ms = 0;
  std::uint64_t published_changes = 0;
  bool ticks_fast = false;

  uv_loop_t loop{};
  bool loop_open = false;
  uv_async_t wake{};
  uv_timer_t tick{};
  uv_idle_t more{};
  uv_poll_t output_poll{};

  mutable std::mutex mutex;  // guards the members that other threads use
  AgentStatus snapshot;
  std::vector<std::string> watch_problems;
  bool stop_flag = false;
  bool running = false;
  std::optional<AgentConfig> reload_flag;

  void take_orders();
  void sync_watches();
  void start_watch(const std::string& folder, const FileFacts& facts);
  void close_watch(Watch* watch);
  void publish();
  OutputStatus published_output;
  [[nodiscard]] bool unpublished() const {
    return core->changes() != published_changes || output->status() != published_output;
  }
  void work_more();
  void tick_every(std::uint64_t first_ms, std::uint64_t repeat_ms);
  void on_tick();
  void pace();
  void close_loop();
};

void Agent::Impl::take_orders() {
  bool stop = false;
  std::optional<AgentConfig> fresh;
  {
    const std::lock_guard lock(mutex);
    stop = stop_flag;
    fresh = std::exchange(reload_flag, std::nullopt);
  }
  if (fresh) {
    config.tail = fresh->tail;
    core->reload(std::move(*fresh));
  }
  if (stop) core->stop();
}

void Agent::Impl::start_watch(const std::string& folder, const FileFacts& facts) {
  auto* watch = new Watch{.device = facts.device, .inode = facts.inode, .birth_ns = facts.birth_ns};
  watches.emplace(folder, watch);
  uv_fs_event_init(&loop, &watch->event);
  watch->event.data = this;
  const auto status = uv_fs_event_start(
      &watch->event,
      [](uv_fs_event_t* handle, const char* name, int events, int) {
        auto& self = *static_cast<Impl*>(handle->data);
        std::array<char, 4096> folder_name{};
        std::size_t size = folder_name.size();
        if (name == nullptr || uv_fs_event_getpath(handle, folder_name.data(), &size) != 0) {
          self.core->look_everywhere();
        } else {
          std::string path(folder_name.data(), size);
          if (!path.ends_with('/')) path += '/';
          self.core->path_changed(path + name, (events & UV_RENAME) != 0);
        }
        self.work_more();
      },
      folder.c_str(), 0);
  watch->works = status == 0;
  if (status != 0) {
    const std::lock_guard lock(mutex);
    watch_problems.push_back(fmt::format("{}: cannot be watched ({}); its files are checked every {} ms{}",
                                         folder, uv_strerror(status), config.tail.poll_interval.count(),
                                         status == UV_ENOSPC || status == UV_EMFILE
                                             ? "; raise fs.inotify.max_user_watches or max_user_instances"
                                             : ""));
  }
}

void Agent::Impl::close_watch(Watch* watch) {
  uv_close(reinterpret_cast<uv_handle_t*>(&watch->event),
           [](uv_handle_t* handle) { delete reinterpret_cast<Watch*>(handle); });
}

// Runs after each scan of the core, because folders appear, disappear and are recreated.
void Agent::Impl::sync_watches() {
  if (watched_scan == core->scans()) return;
  watched_scan = core->scans();
  {
    const std::lock_guard lock(mutex);
    watch_problems.clear();
  }
  std::map<std::string, FileFacts> wanted;
  if (!config.tail.poll_only) {
    for (const auto& folder : core->folders_to_watch()) {
      const auto facts = posix_file_system().facts(folder);
      if (facts && !posix_file_system().needs_polling(folder)) wanted.emplace(folder, *facts);
    }
  }
  for (auto at = watches.begin(); at != watches.end();) {
    const auto want = wanted.find(at->first);
    // Retry a watch that failed: the limit may have been raised.
    if (want != wanted.end() && at->second->works && want->second.device == at->second->device &&
        want->second.inode == at->second->inode && want->second.birth_ns == at->second->birth_ns) {
      ++at;
      continue;
    }
    close_watch(at->second);
    at = watches.erase(at);
  }
  std::set<std::string> watched;
  for (const auto& [folder, facts] : wanted) {
    const bool fresh = !watches.contains(folder);
    if (fresh) start_watch(folder, facts);
    if (watches.at(folder)->works) watched.insert(folder);
    // Nobody reported changes between the core's scan and the start of the watch.
    if (fresh && watches.at(folder)->works && watched_scan > 0) core->look_everywhere();
  }
  core->set_watched(std::move(watched));
}

void Agent::Impl::publish() {
  last_published_ms = system_clock().steady_ms();
  published_changes = core->changes();
  published_output = output->status();
  auto status = core->status();
  const std::lock_guard lock(mutex);
  status.problems.insert(status.problems.end(), watch_problems.begin(), watch_problems.end());
  snapshot = std::move(status);
}

void Agent::Impl::work_more() {
  if (uv_is_active(reinterpret_cast<uv_handle_t*>(&more)) != 0) return;
  uv_idle_start(&more, [](uv_idle_t* handle) {
    auto& self = *static_cast<Impl*>(handle->data);
    self.take_orders();
    const bool again = self.core->work();
    self.sync_watches();
    if (self.core->done()) uv_stop(&self.loop);
    if (again) return;
    uv_idle_stop(handle);
    // With many files, a snapshot costs more than handling a line.
    if (self.unpublished() && system_clock().steady_ms() - self.last_published_ms >= kPublishSoonMs)
      self.publish();
    self.pace();
  });
}

void Agent::Impl::tick_every(std::uint64_t first_ms, std::uint64_t repeat_ms) {
  uv_timer_start(
      &tick, [](uv_timer_t* handle) { static_cast<Impl*>(handle->data)->on_tick(); }, first_ms, repeat_ms);
}

// A busy agent ticks quickly, a quiet one only when something is due. Everything else wakes the loop itself.
void Agent::Impl::pace() {
  if (!core->quiet() || unpublished()) {
    if (!std::exchange(ticks_fast, true)) tick_every(kTickMs, kTickMs);
    return;
  }
  ticks_fast = false;
  const auto due_ms = static_cast<std::uint64_t>(core->due_in_ms());
  tick_every(due_ms, due_ms);
}

void Agent::Impl::on_tick() {
  core->tick();
  // While there is always more to do, work_more() never gets to this.
  const auto age_ms = system_clock().steady_ms() - last_published_ms;
  if (unpublished() || (!core->quiet() && age_ms >= kPublishMs)) publish();
  work_more();
}

void Agent::Impl::close_loop() {
  if (!std::exchange(loop_open, false)) return;
  for (auto& [folder, watch] : watches) close_watch(watch);
  watches.clear();
  uv_walk(
      &loop,
      [](uv_handle_t* handle, void*) {
        if (uv_is_closing(handle) == 0) uv_close(handle, nullptr);
      },
      nullptr);
  while (uv_run(&loop, UV_RUN_DEFAULT) != 0) {
  }
  uv_loop_close(&loop);
}

Agent::Agent() : impl_(std::make_unique<Impl>()) {}

Agent::~Agent() { impl_->close_loop(); }

Result<std::unique_ptr<Agent>> Agent::create(const AgentConfig& config, Output& output,
                                             AgentOptions options) {
  std::unique_ptr<Agent> agent(new Agent);
  auto& impl = *agent->impl_;
  impl.config = config;
  impl.output = &output;
  std::unique_ptr<Registry> registry;
  if (options.position_of) {
    registry = Registry::in_memory();
  } else {
    auto opened = Registry::open(config.state_dir);
    if (!opened) return std::unexpected(opened.error());
    registry = std::move(*opened);
  }
  options.max_open_files = std::min(options.max_open_files, open_file_limit());
  if (!options.say) options.say = impl.log.speaker();
  auto core = AgentCore::create(config,
                                {.output = output,
                                 .files = posix_file_system(),
                                 .clock = system_clock(),
                                 .registry = std::move(registry),
                                 .host = host_name()},
                                std::move(options));
  if (!core) return std::unexpected(core.error());
  impl.core = std::move(*core);
  if (uv_loop_init(&impl.loop) != 0)
    return fail(Code::kIo, "the event loop could not be made", "raise the limit of open files");
  impl.loop_open = true;
  uv_async_init(&impl.loop, &impl.wake,
                [](uv_async_t* handle) { static_cast<Impl*>(handle->data)->work_more(); });
  uv_timer_init(&impl.loop, &impl.tick);
  uv_idle_init(&impl.loop, &impl.more);
  impl.wake.data = impl.tick.data = impl.more.data = impl.output_poll.data = &impl;
  return agent;
}

Result<void> Agent::run() {
  auto& impl = *impl_;
  {
    const std::lock_guard lock(impl.mutex);
    impl.running = true;
  }
  if (const auto fd = impl.output->readable_fd();
      fd >= 0 && uv_poll_init(&impl.loop, &impl.output_poll, fd) == 0) {
    uv_poll_start(&impl.output_poll, UV_READABLE,
                  [](uv_poll_t* handle, int, int) { static_cast<Impl*>(handle->data)->work_more(); });
  }
  impl.ticks_fast = true;
  impl.tick_every(0, kTickMs);
  impl.work_more();
  uv_run(&impl.loop, UV_RUN_DEFAULT);
  impl.core->finish();
  impl.publish();
  {
    // From here on, stop() must not touch the loop.
    const std::lock_guard lock(impl.mutex);
    impl.running = false;
  }
  impl.close_loop();
  return {};
}

void Agent::stop() {
  const std::lock_guard lock(impl_->mutex);
  impl_->stop_flag = true;
  if (impl_->running) uv_async_send(&impl_->wake);
}

void Agent::reload(AgentConfig config) {
  const std::lock_guard lock(impl_->mutex);
  impl_->reload_flag = std::move(config);
  if (impl_->running) uv_async_send(&impl_->wake);
}

AgentStatus Agent::status() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->snapshot;
}

}  // namespace weir
