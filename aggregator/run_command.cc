// `run` and `check`: from Kafka to the store.
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>

#include "aggregator/commands.h"
#include "aggregator/engine.h"
#include "aggregator/load_config.h"
#include "aggregator/pages/pages.h"
#include "aggregator/signals.h"
#include "aggregator/source/kafka_source.h"
#include "aggregator/warn/warner.h"
#include "common/exit_codes.h"
#include "common/host_name.h"

namespace weir {
namespace {

std::string owner_name() { return fmt::format("{}:{}", host_name(), getpid()); }

// What no waiting can help ends the start; a store that is away is waited for by the engine.
int check_store(const AggregatorConfig& config) {
  auto store = open_store(config);
  if (!store) {
    print_error(kProgram, store.error());
    return store.error().code == Code::kUnavailable ? kExitOk : kExitStore;
  }
  if (auto migrated = (*store)->migrate(); !migrated) {
    print_error(kProgram, migrated.error());
    if (migrated.error().code == Code::kInvalid) return kExitSchemaTooNew;
    return migrated.error().code == Code::kUnavailable ? kExitOk : kExitStore;
  }
  return kExitOk;
}

constexpr auto kLeaveTimeout = std::chrono::seconds(20);

// All is committed; what is left is to leave the group, which is a courtesy: a cluster that does not
// answer (a topic that was deleted meanwhile, say) must not keep the process from ending.
void end_within(std::chrono::seconds timeout, int code) {
  std::thread([timeout, code] {
    std::this_thread::sleep_for(timeout);
    fmt::print(stderr, "{}: the group was not left in {} s: its session times out instead\n", kProgram,
               timeout.count());
    std::_Exit(code);
  }).detach();
}

}  // namespace

int run_command(const std::string& config_path) {
  auto config = load_or_print(config_path);
  if (!config) return kExitConfig;
  if (!config->kafka) {
    print_error(kProgram, Error{Code::kInvalid, fmt::format("{}: [source.kafka] is missing", config_path),
                                "name the brokers and topics, or read logs of this machine with "
                                "`weir-aggregator local LOG...`"});
    return kExitConfig;
  }
  if (const int code = check_store(*config); code != kExitOk) return code;

  auto source = KafkaSource::create(*config->kafka, config->kafka->topics, config->kafka->group);
  if (!source) {
    print_error(kProgram, source.error());
    return kExitConfig;
  }
  const OpenStore open = [&config] { return open_store(*config); };
  EngineConfig engine_config;
  engine_config.settler.fold.window_s = config->window.count();
  engine_config.settler.foreign_format = config->kafka->format;
  engine_config.settler.max_sites = config->settle.max_sites;
  engine_config.commit_interval = config->settle.commit_interval;
  engine_config.max_pending_bytes = config->settle.max_pending_bytes;
  engine_config.owner = owner_name();
  engine_config.log = [](const Error& error) { print_error(kProgram, error); };
  Engine engine(engine_config, **source, open);
  // After the engine, so that no signal finds it gone; librdkafka's threads take no signals.
  const SignalWatcher signals([&engine] { engine.stop(); });

  WarnerConfig warner_config;
  warner_config.rules = config->rules;
  warner_config.mail = config->mail;
  warner_config.page_url =
      config->public_url.empty() ? fmt::format("http://{}/", config->pages_listen) : config->public_url;
  warner_config.window = config->window;
  warner_config.forget_after = config->settle.forget_after;
  Warner warner(warner_config, open);

  std::unique_ptr<PagesServer> pages;
  if (!config->pages_listen.empty()) {
    auto started = PagesServer::start(
        {.listen = config->pages_listen, .window_s = config->window.count()}, open,
        [&engine] { return engine.status(); }, [&warner] { return warner.status(); });
    if (!started) {
      print_error(kProgram, started.error());
      return kExitListen;
    }
    pages = std::move(*started);
    fmt::print(stderr, "{}: page {}\n", kProgram, pages->url());
  }

  const auto done = engine.run();
  int code = kExitOk;
  if (!done) {
    print_error(kProgram, done.error());
    code = done.error().code == Code::kInvalid ? kExitConfig : kExitKafka;
  }
  end_within(kLeaveTimeout, code);
  return code;
}

int check_command(const std::string& config_path, bool store) {
  const auto config = load_or_print(config_path);
  if (!config) return kExitConfig;
  fmt::print("{}: no mistakes\n", config_path);
  if (!store) return kExitOk;
  auto opened = open_store(*config);
  if (!opened) {
    print_error(kProgram, opened.error());
    return kExitStore;
  }
  if (auto migrated = (*opened)->migrate(); !migrated) {
    print_error(kProgram, migrated.error());
    return migrated.error().code == Code::kInvalid ? kExitSchemaTooNew : kExitStore;
  }
  fmt::print("store: connected, schema version {}\n", kSchemaVersion);
  return kExitOk;
}

}  // namespace weir
