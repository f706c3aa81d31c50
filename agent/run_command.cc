// weir-agent run: runs the agent, serves its metrics and handles signals until it stops.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <pthread.h>
#include <signal.h>

#include <expected>
#include <mutex>
#include <thread>

#include "agent/agent.h"
#include "agent/commands.h"
#include "agent/config.h"
#include "agent/metrics_server.h"
#include "agent/missing_logs.h"
#include "agent/ship/make_output.h"
#include "common/clock.h"
#include "common/exit_codes.h"
#include "common/log.h"
#include "common/reload_state.h"

namespace weir {
namespace {

constexpr const char* kProgram = "weir-agent";

int exit_code_of(const Error& error) {
  switch (error.code) {
    case Code::kFenced:
      return kExitLocked;
    case Code::kInvalid:
      return kExitConfig;
    default:
      return kExitFailed;
  }
}

// Returns the configuration if it is valid, otherwise its first mistake. All mistakes are logged.
std::expected<AgentConfig, std::string> load(const std::string& path, Log& log) {
  auto loaded = load_agent_config(path);
  if (!loaded) {
    log.write_error(loaded.error());
    return std::unexpected(loaded.error().sentence());
  }
  for (const auto& mistake : loaded->mistakes) log.write(LogLevel::kError, mistake.text());
  if (!loaded->mistakes.empty()) return std::unexpected(loaded->mistakes.front().text());
  return std::move(loaded->config);
}

// The active configuration. A reload changes it while other threads serve /health.
class Current {
 public:
  explicit Current(AgentConfig config) : config_(std::move(config)) {}
  void set(AgentConfig config) {
    const std::lock_guard lock(mutex_);
    config_ = std::move(config);
  }
  // When it was loaded, and whether a newer one was refused.
  SharedReloadState reload{system_clock().wall_ms()};
  [[nodiscard]] std::vector<std::string> missing() const {
    const std::lock_guard lock(mutex_);
    return missing_logs(config_);
  }

 private:
  mutable std::mutex mutex_;
  AgentConfig config_;
};

void say_missing(const Current& current, Log& log) {
  for (const auto& missing : current.missing()) log.write(LogLevel::kWarning, missing);
}

// null: the configuration turns metrics off.
Result<std::unique_ptr<MetricsServer>> start_metrics(const AgentConfig& config, const Agent& agent,
                                                     const Current& current) {
  if (config.metrics_listen.empty()) return nullptr;
  return MetricsServer::start(config.metrics_listen, [&] {
    auto status = agent.status();
    status.reload = current.reload.get();
    for (auto& missing : current.missing()) status.problems.push_back(std::move(missing));
    return status;
  });
}

// Handles SIGHUP: takes the new configuration, or keeps the old one and reports what is wrong with the new
// one.
void reload(const std::string& path, const AgentConfig& started_with, Current& current, Agent& agent,
            Log& log) {
  auto fresh = load(path, log);
  if (!fresh) {
    current.reload.refused(system_clock().wall_ms(), fresh.error());
    log.write(LogLevel::kError, "the configuration was not reloaded; the old one stays in use");
    return;
  }
  const auto waiting = needs_restart(started_with, *fresh);
  log.write(waiting.empty() ? LogLevel::kInfo : LogLevel::kWarning,
            waiting.empty() ? "configuration reloaded"
                            : fmt::format("configuration reloaded; the change of {} needs a restart",
                                          fmt::join(waiting, ", ")));
  current.set(*fresh);
  current.reload.loaded(system_clock().wall_ms());
  say_missing(current, log);
  agent.reload(std::move(*fresh));
}

// Blocks the signals in every thread that starts later. One thread waits for them.
sigset_t block_signals() {
  sigset_t signals{};
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  return signals;
}

int failed(const Error& error, int exit_code, Log& log) {
  log.write_error(error);
  return exit_code;
}

}  // namespace

int run_command(const std::string& config_path, const LogOptions& log_options) {
  Log log(kProgram, log_options);
  const auto config = load(config_path, log);
  if (!config) return kExitConfig;
  const sigset_t signals = block_signals();
  auto output = make_output(config->output, config->ship, config->max_line());
  if (!output) return failed(output.error(), exit_code_of(output.error()), log);
  auto agent = Agent::create(*config, **output, {.say = log.speaker()});
  if (!agent) return failed(agent.error(), exit_code_of(agent.error()), log);
  Current current(*config);
  // Before /health answers, so that a problem it shows is already in the log.
  say_missing(current, log);
  auto metrics = start_metrics(*config, **agent, current);
  if (!metrics) {
    return failed(metrics.error(), metrics.error().code == Code::kInvalid ? kExitConfig : kExitListen, log);
  }
  log.write(
      LogLevel::kInfo,
      fmt::format("follows {} input{}{}", config->inputs.size(), config->inputs.size() == 1 ? "" : "s",
                  *metrics ? fmt::format(", metrics on http://{}/metrics", (*metrics)->address()) : ""));
  std::thread signal_thread([&] {
    for (int number = 0; sigwait(&signals, &number) == 0;) {
      if (number == SIGUSR1) return;  // run() has ended
      if (number == SIGHUP) {
        reload(config_path, *config, current, **agent, log);
      } else {
        (*agent)->stop();
      }
    }
  });
  const auto ran = (*agent)->run();
  pthread_kill(signal_thread.native_handle(), SIGUSR1);
  signal_thread.join();
  metrics->reset();
  if (!ran) return failed(ran.error(), exit_code_of(ran.error()), log);
  return kExitOk;
}

}  // namespace weir
