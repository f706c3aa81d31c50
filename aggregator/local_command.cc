// `local`: the single box. Runs the agent's code in this process, with SQLite and without Kafka.
#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <thread>

#include "agent/format/known.h"
#include "agent/format_table.h"
#include "aggregator/commands.h"
#include "aggregator/detect_format.h"
#include "aggregator/engine.h"
#include "aggregator/load_config.h"
#include "aggregator/log_arguments.h"
#include "aggregator/pages/pages.h"
#include "aggregator/reloader.h"
#include "aggregator/report_command.h"
#include "aggregator/signals.h"
#include "aggregator/source/local_source.h"
#include "aggregator/warn/warner.h"
#include "common/exit_codes.h"
#include "common/text.h"

namespace weir {
namespace {

using namespace std::chrono_literals;

constexpr const char* kDefaultListen = "127.0.0.1:8080";
constexpr std::size_t kDetectLines = 50;
// Part of every source's id in a local store: changing it would count all logs again.
constexpr const char* kAgentId = "local";
constexpr const char* kFormatName = "local";
// How many bytes of log may be between file and commit. Half of them are committed at a time, so that the
// reader does not wait for the store.
constexpr std::uint64_t kMaxInFlightBytes = 128 << 20;

// The lowest level of zstd: it stores bytes unchanged, except for long repetitions.
constexpr int kNoCompression = -(1 << 17);

void say(const std::string& sentence) { fmt::print(stderr, "{}: {}\n", kProgram, visible(sentence)); }

// The format named on the command line; nullopt: none.
Result<std::optional<FormatSpec>> format_of(const LocalOptions& options, const AggregatorConfig& config) {
  FormatSpec format{.kind = FormatSpec::Kind::kNginx, .text = options.log_format};
  if (!options.format_name.empty()) {
    auto found = find_format(options.format_name, config.formats);
    if (!found) return std::unexpected(found.error());
    format = std::move(*found);
  } else if (options.log_format.empty()) {
    return std::nullopt;
  }
  if (const auto compiled = compile_format(format, {}); !compiled) return std::unexpected(compiled.error());
  return format;
}

// The format of the first log that has lines.
Result<FormatSpec> detected_format(const LogArguments& logs) {
  for (const std::string& file : logs.files) {
    auto lines = first_lines(file, kDetectLines);
    if (!lines || lines->empty()) continue;
    auto detected = detect_format(*lines);
    if (!detected) {
      return fail(
          Code::kInvalid,
          fmt::format("{}: none of the first {} lines fits {}", file, lines->size(), known_format_list()),
          "name the format with --format NAME, or give nginx's log_format with --log-format '...'");
    }
    say(fmt::format("format {}: fits {} of the first {} lines of {}", detected->name, detected->matched,
                    lines->size(), file));
    return detected->spec;
  }
  say(fmt::format("format {}: no log has a line yet (--format NAME chooses another)", kDefaultFormat));
  return named_format(kDefaultFormat);
}

AgentConfig agent_config(const LogArguments& logs, const FormatSpec& format) {
  AgentConfig config;
  config.id = kAgentId;
  config.formats[kFormatName] = format;
  InputConfig input;
  input.name = "local";
  input.paths = logs.paths;
  input.format = kFormatName;
  config.inputs.push_back(std::move(input));
  config.ship.flush_interval = 500ms;
  // Between two threads, copying is cheaper than compressing.
  config.ship.zstd_level = kNoCompression;
  config.ship.max_in_flight = kMaxInFlightBytes;
  config.ship.shutdown_timeout = 1s;
  config.metrics_listen.clear();
  return config;
}

// Creates or migrates the store. Returns an exit code.
int prepare_store(const std::string& path) {
  std::error_code ignored;
  if (const auto parent = std::filesystem::path(path).parent_path(); !parent.empty()) {
    std::filesystem::create_directories(parent, ignored);  // open_sqlite() reports why that failed
  }
  auto store = open_sqlite(path);
  if (!store) {
    print_error(kProgram, store.error());
    return kExitStore;
  }
  if (auto migrated = (*store)->migrate(); !migrated) {
    print_error(kProgram, migrated.error());
    return migrated.error().code == Code::kInvalid ? kExitSchemaTooNew : kExitStore;
  }
  return kExitOk;
}

WarnerConfig warner_config(const AggregatorConfig& config, const std::string& page_url, const Say& speak) {
  WarnerConfig out;
  out.rules = config.rules;
  out.channels = config.channels;
  out.page_url = config.public_url.empty() ? page_url : config.public_url;
  out.window = config.window;
  out.say = speak;
  return out;
}

Result<std::unique_ptr<PagesServer>> start_pages(const LocalOptions& options, PagesConfig config,
                                                 const OpenStore& open, const Engine& engine,
                                                 const std::atomic<const Warner*>& warner) {
  const auto listen = [&](const std::string& address) {
    config.listen = address;
    return PagesServer::start(
        config, open, [&engine] { return engine.status(); },
        [&warner] {
          const Warner* ready = warner;
          return ready != nullptr ? ready->status() : WarnerStatus{};
        });
  };
  if (!options.listen.empty()) return listen(options.listen);
  auto pages = listen(kDefaultListen);
  if (pages || pages.error().code != Code::kUnavailable) return pages;
  say(fmt::format("{} is in use, so a free port is used; --listen ADDR chooses one", kDefaultListen));
  return listen("127.0.0.1:0");
}

// Runs the engine on a thread of its own; the destructor stops and joins it.
class EngineThread {
 public:
  explicit EngineThread(Engine& engine) : engine_(engine), thread_([this] { run(); }) {}
  ~EngineThread() { stop(); }
  EngineThread(const EngineThread&) = delete;
  EngineThread& operator=(const EngineThread&) = delete;
  [[nodiscard]] bool ended() const { return ended_; }
  // Stops and joins; returns the engine's result.
  [[nodiscard]] Result<void> join() {
    stop();
    return result_;
  }

 private:
  void stop() {
    engine_.stop();
    if (thread_.joinable()) thread_.join();
  }
  void run() {
    result_ = engine_.run();
    ended_ = true;
  }
  Engine& engine_;
  Result<void> result_;
  std::atomic<bool> ended_ = false;
  std::thread thread_;
};

bool print_summary(const OpenStore& open) {
  auto store = open();
  auto table = store ? summary_table(**store) : Result<std::string>(std::unexpected(store.error()));
  if (!table) {
    print_error(kProgram, table.error());
    return false;
  }
  std::fwrite(table->data(), 1, table->size(), stdout);
  std::fflush(stdout);
  return true;
}

EngineConfig engine_config_of(const LocalOptions& options, const AggregatorConfig& config) {
  EngineConfig out;
  out.settler.fold.window_s = config.window.count();
  out.settler.max_sites = config.settle.max_sites;
  out.commit_interval = config.settle.commit_interval;
  out.max_pending_bytes = config.settle.max_pending_bytes;
  out.owner = fmt::format("local:{}", getpid());
  out.commit_content_bytes = kMaxInFlightBytes / 2;
  out.commit_when_idle = 100ms;
  if (options.once) {  // somebody is waiting for the end
    out.poll_timeout = 10ms;
    out.commit_when_idle = 20ms;
  }
  out.log = [](const Error& error) { print_error(kProgram, error); };
  return out;
}

// The end of --once. Returns the exit code.
int report_end(bool read_to_end, const AgentStatus& status, const OpenStore& open) {
  if (!read_to_end) return kExitFailed;  // interrupted: the table would be incomplete
  if (!print_summary(open)) return kExitStore;
  for (const std::string& problem : status.problems) print_error(kProgram, Error{Code::kIo, problem, {}});
  return status.problems.empty() ? kExitOk : kExitInput;
}

int exit_code(const Error& error) { return error.code == Code::kFenced ? kExitStore : kExitFailed; }

}  // namespace

std::string default_store_path() {
  const char* state_home = std::getenv("XDG_STATE_HOME");
  if (state_home == nullptr || *state_home == '\0') return "weir.db";
  return (std::filesystem::path(state_home) / "weir.db").string();
}

namespace {

// What is known before anything runs, filled in step by step.
struct Prepared {
  AggregatorConfig config;
  std::optional<LogArguments> logs;
  std::optional<FormatSpec> format;
  std::string store_path;
};

int failed(const Error& error, int code) {
  print_error(kProgram, error);
  return code;
}

// Prepares configuration, logs, format and store. Returns kExitOk, or prints the reason and returns the exit
// code.
int prepare(const LocalOptions& options, Prepared& out) {
  if (!options.config_path.empty()) {
    auto loaded = load_or_print(options.config_path, ConfigPurpose::kLocal);
    if (!loaded) return kExitConfig;
    out.config = std::move(*loaded);
  }
  auto named = format_of(options, out.config);
  if (!named) return failed(named.error(), kExitUsage);
  auto logs = look_at_logs(options.logs);
  if (!logs) return failed(logs.error(), kExitInput);
  for (const std::string& glob : logs->empty_globs) say(fmt::format("{}: no file matches yet", glob));
  if (options.once && logs->files.empty())
    return failed(Error{Code::kNotFound, "no log to read", "correct the paths"}, kExitInput);
  auto format = *named ? Result<FormatSpec>(std::move(**named)) : detected_format(*logs);
  if (!format) return failed(format.error(), kExitInput);
  out.logs = std::move(*logs);
  out.format = std::move(*format);

  out.store_path = options.store_path.empty() ? default_store_path() : options.store_path;
  std::error_code unknown;
  const bool known_store = std::filesystem::exists(out.store_path, unknown);
  if (const int code = prepare_store(out.store_path); code != kExitOk) return code;
  say(fmt::format("store {}{}", out.store_path, known_store ? ", continued" : ""));
  return kExitOk;
}

}  // namespace

int local_command(const LocalOptions& options) {
  Prepared prepared;
  if (const int code = prepare(options, prepared); code != kExitOk) return code;
  const auto& [config, logs, format, store_path] = prepared;

  std::atomic<bool> stop = false;
  std::atomic<bool> reload_wanted = false;
  // Without a configuration there is nothing to reload, so SIGHUP stops the program.
  const SignalWatcher signals([&stop] { stop = true; }, options.config_path.empty()
                                                            ? std::function<void()>()
                                                            : [&reload_wanted] { reload_wanted = true; });
  const OpenStore open = [&store_path] { return open_sqlite(store_path); };
  auto source = LocalSource::create(agent_config(*logs, *format), open);
  if (!source) {
    print_error(kProgram, source.error());
    return kExitInput;
  }
  const EngineConfig engine_config = engine_config_of(options, config);
  Engine engine(engine_config, **source, open);

  const Say speak = [](LogLevel, std::string_view sentence) { say(std::string(sentence)); };
  std::unique_ptr<Warner> warner;
  std::atomic<const Warner*> warner_of_pages = nullptr;
  std::string page_url;
  Reloader reloader({.path = options.config_path,
                     .purpose = ConfigPurpose::kLocal,
                     .used_format = options.format_name,
                     .apply =
                         [&](const AggregatorConfig& fresh) {
                           if (warner) warner->reload(warner_config(fresh, page_url, speak));
                         },
                     .say = speak},
                    config);
  // Declared after the parts whose state it reads, so that it is destroyed before them.
  std::unique_ptr<PagesServer> pages;
  if (!options.once) {
    std::function<ReloadState()> reload_state;
    if (!options.config_path.empty()) reload_state = [&reloader] { return reloader.state(); };
    auto started = start_pages(options, {.window_s = config.window.count(), .reload_state = reload_state},
                               open, engine, warner_of_pages);
    if (!started) {
      print_error(kProgram, started.error());
      return kExitListen;
    }
    pages = std::move(*started);
    page_url = pages->url();
    warner = std::make_unique<Warner>(warner_config(config, page_url, speak), open);
    warner_of_pages = warner.get();
    fmt::print("page {}\n", page_url);
    std::fflush(stdout);
  }

  EngineThread engine_thread(engine);
  bool printed = false;
  while (!stop && !engine_thread.ended()) {
    if (reload_wanted.exchange(false)) reloader.reload();
    if (!printed && (*source)->agent_status().caught_up) {
      printed = true;
      if (options.once) break;
      if (!print_summary(open)) break;
      fmt::print(stderr, "{}: following; press Ctrl-C to stop\n", kProgram);
    }
    std::this_thread::sleep_for(20ms);
  }
  if (auto done = engine_thread.join(); !done) {
    print_error(kProgram, done.error());
    return exit_code(done.error());
  }
  return options.once ? report_end(printed, (*source)->agent_status(), open) : kExitOk;
}

}  // namespace weir
