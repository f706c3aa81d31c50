#include <fmt/format.h>
#include <fmt/ranges.h>
#include <pthread.h>
#include <signal.h>

#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

#include "agent/agent.h"
#include "agent/commands.h"
#include "agent/config.h"
#include "agent/metrics_server.h"
#include "agent/missing_logs.h"
#include "agent/ship/make_output.h"
#include "common/exit_codes.h"
#include "common/text.h"

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

// The configuration when it may be used; else what is wrong was printed.
std::optional<AgentConfig> load(const std::string& path, int& exit_code) {
  auto loaded = load_agent_config(path);
  if (!loaded) {
    print_error(kProgram, loaded.error());
    exit_code = kExitConfig;
    return std::nullopt;
  }
  for (const auto& mistake : loaded->mistakes)
    print_error(kProgram, Error{Code::kInvalid, mistake.text(), ""});
  exit_code = kExitConfig;
  if (!loaded->mistakes.empty()) return std::nullopt;
  return std::move(loaded->config);
}

// The configuration that is followed: a reload changes it while /health is asked.
class Current {
 public:
  explicit Current(AgentConfig config) : config_(std::move(config)) {}
  void set(AgentConfig config) {
    const std::lock_guard lock(mutex_);
    config_ = std::move(config);
  }
  [[nodiscard]] std::vector<std::string> missing() const {
    const std::lock_guard lock(mutex_);
    return missing_logs(config_);
  }

 private:
  mutable std::mutex mutex_;
  AgentConfig config_;
};

void say_missing(const Current& current) {
  for (const auto& missing : current.missing()) fmt::print(stderr, "{}: {}\n", kProgram, visible(missing));
}

}  // namespace

int run_command(const std::string& config_path) {
  int exit_code = kExitOk;
  auto config = load(config_path, exit_code);
  if (!config) return exit_code;
  // Blocked before any thread starts: one thread waits for them.
  sigset_t signals{};
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  auto output = make_output(config->output, config->ship, config->max_line());
  if (!output) {
    print_error(kProgram, output.error());
    return exit_code_of(output.error());
  }
  auto agent = Agent::create(*config, **output);
  if (!agent) {
    print_error(kProgram, agent.error());
    return exit_code_of(agent.error());
  }
  Current current(*config);
  std::unique_ptr<MetricsServer> metrics;
  if (!config->metrics_listen.empty()) {
    auto started = MetricsServer::start(config->metrics_listen, [&] {
      auto status = (*agent)->status();
      for (auto& missing : current.missing()) status.problems.push_back(std::move(missing));
      return status;
    });
    if (!started) {
      print_error(kProgram, started.error());
      return started.error().code == Code::kInvalid ? kExitConfig : kExitListen;
    }
    metrics = std::move(*started);
  }
  fmt::print(stderr, "{}: follows {} input{}{}\n", kProgram, config->inputs.size(),
             config->inputs.size() == 1 ? "" : "s",
             metrics ? fmt::format(", metrics on http://{}/metrics", metrics->address()) : "");
  say_missing(current);
  std::thread signal_thread([&] {
    for (int number = 0; sigwait(&signals, &number) == 0;) {
      if (number == SIGUSR1) return;  // run() has ended
      if (number != SIGHUP) {
        (*agent)->stop();
        continue;
      }
      int ignored = 0;
      if (auto fresh = load(config_path, ignored)) {
        const auto waiting = needs_restart(*config, *fresh);
        fmt::print(stderr, "{}: configuration loaded again{}\n", kProgram,
                   waiting.empty()
                       ? ""
                       : fmt::format("; the change of {} needs a restart", fmt::join(waiting, ", ")));
        current.set(*fresh);
        say_missing(current);
        (*agent)->reload(std::move(*fresh));
      } else {
        fmt::print(stderr, "{}: the old configuration stays\n", kProgram);
      }
    }
  });
  const auto ran = (*agent)->run();
  pthread_kill(signal_thread.native_handle(), SIGUSR1);
  signal_thread.join();
  metrics.reset();
  if (!ran) {
    print_error(kProgram, ran.error());
    return exit_code_of(ran.error());
  }
  return kExitOk;
}

}  // namespace weir
