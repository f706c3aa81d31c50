// `run` and `check`: from Kafka to the store.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <expected>
#include <thread>

#include "aggregator/commands.h"
#include "aggregator/engine.h"
#include "aggregator/load_config.h"
#include "aggregator/pages/pages.h"
#include "aggregator/reloader.h"
#include "aggregator/signals.h"
#include "aggregator/source/kafka_source.h"
#include "aggregator/warn/warner.h"
#include "common/exit_codes.h"
#include "common/host_name.h"
#include "common/log.h"

namespace weir {
namespace {

std::string owner_name() { return fmt::format("{}:{}", host_name(), getpid()); }

struct StoreFailure {
  Error error;
  int exit_code;
};
// Connects to the store and migrates it.
std::expected<void, StoreFailure> try_store(const AggregatorConfig& config) {
  const auto store = open_store(config);
  if (!store) return std::unexpected(StoreFailure{store.error(), kExitStore});
  const auto migrated = (*store)->migrate();
  if (migrated) return {};
  const bool too_new = migrated.error().code == Code::kInvalid;
  return std::unexpected(StoreFailure{migrated.error(), too_new ? kExitSchemaTooNew : kExitStore});
}

// An error that waiting cannot fix ends the start. If the store is merely unavailable, the engine waits for
// it.
int check_store(const AggregatorConfig& config, Log& log) {
  const auto tried = try_store(config);
  if (tried) return kExitOk;
  log.write_error(tried.error().error);
  return tried.error().error.code == Code::kUnavailable ? kExitOk : tried.error().exit_code;
}

EngineConfig engine_config(const AggregatorConfig& config, Log& log) {
  EngineConfig out;
  out.settler.fold.window_s = config.window.count();
  out.settler.foreign_format = config.kafka->format;
  out.settler.max_sites = config.settle.max_sites;
  out.commit_interval = config.settle.commit_interval;
  out.max_pending_bytes = config.settle.max_pending_bytes;
  out.owner = owner_name();
  out.log = [&log](const Error& error) { log.say(LogLevel::kWarning, error.sentence()); };
  return out;
}

WarnerConfig warner_config(const AggregatorConfig& config, const Say& say) {
  WarnerConfig out;
  out.rules = config.rules;
  out.channels = config.channels;
  out.page_url =
      config.public_url.empty() ? fmt::format("http://{}/", config.pages_listen) : config.public_url;
  out.window = config.window;
  out.forget_after = config.settle.forget_after;
  out.say = say;
  return out;
}

// Null: the configuration does not enable the page.
Result<std::unique_ptr<PagesServer>> start_pages(const AggregatorConfig& config, const OpenStore& open,
                                                 const Engine& engine, const Warner& warner,
                                                 const Reloader& reloader, Log& log) {
  if (config.pages_listen.empty()) return nullptr;
  auto pages = PagesServer::start(
      {.listen = config.pages_listen,
       .window_s = config.window.count(),
       .reload_state = [&reloader] { return reloader.state(); }},
      open, [&engine] { return engine.status(); }, [&warner] { return warner.status(); });
  if (pages) log.write(LogLevel::kInfo, fmt::format("page {}", (*pages)->url()));
  return pages;
}

constexpr auto kLeaveTimeout = std::chrono::seconds(20);

// Everything is committed. Leaving the group is only a courtesy: a cluster that does not answer, for example
// after a topic was deleted, must not keep the process from ending.
void end_within(std::chrono::seconds timeout, int code) {
  std::thread([timeout, code] {
    std::this_thread::sleep_for(timeout);
    fmt::print(stderr, "{}: could not leave the group in {} s; its session will time out\n", kProgram,
               timeout.count());
    std::_Exit(code);
  }).detach();
}

}  // namespace

int run_command(const std::string& config_path, const LogOptions& log_options) {
  Log log(kProgram, log_options);
  const auto config = load_or_print(config_path);
  if (!config) return kExitConfig;
  if (const int code = check_store(*config, log); code != kExitOk) return code;

  auto source = KafkaSource::create(*config->kafka, config->kafka->topics, config->kafka->group);
  if (!source) {
    log.write_error(source.error());
    return kExitConfig;
  }
  block_signals();
  const Say say = log.speaker();
  const OpenStore open = [&config] { return open_store(*config); };
  Engine engine(engine_config(*config, log), **source, open);
  Warner warner(warner_config(*config, say), open);
  Reloader reloader({.path = config_path,
                     .apply =
                         [&](const AggregatorConfig& fresh) {
                           engine.set_foreign_format(fresh.kafka->format);
                           warner.reload(warner_config(fresh, say));
                         },
                     .say = [&log](LogLevel level, std::string_view text) { log.write(level, text); }},
                    *config);
  auto pages = start_pages(*config, open, engine, warner, reloader, log);
  if (!pages) {
    log.write_error(pages.error());
    return kExitListen;
  }
  // Declared last, so that no signal finds one of the parts destroyed.
  const SignalWatcher signals([&engine] { engine.stop(); }, [&reloader] { reloader.reload(); });

  const auto done = engine.run();
  int code = kExitOk;
  if (!done) {
    log.write_error(done.error());
    code = done.error().code == Code::kInvalid ? kExitConfig : kExitKafka;
  }
  end_within(kLeaveTimeout, code);
  return code;
}

int check_command(const std::string& config_path, bool store) {
  const auto config = load_or_print(config_path);
  if (!config) return kExitConfig;
  if (store) {
    if (const auto tried = try_store(*config); !tried) {
      print_error(kProgram, tried.error().error);
      return tried.error().exit_code;
    }
  }
  fmt::print("{}: no mistakes\n", config_path);
  if (store) fmt::print("store: connected, schema version {}\n", kSchemaVersion);
  return kExitOk;
}

}  // namespace weir
