#include "agent/cli.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <exception>

#include "agent/commands.h"
#include "agent/config.h"
#include "agent/format/known.h"
#include "agent/format_table.h"
#include "agent/missing_logs.h"
#include "common/command_line.h"
#include "common/config_table.h"
#include "common/config_values.h"
#include "common/exit_codes.h"
#include "common/log_options.h"
#include "common/text.h"

namespace weir {
namespace {

constexpr const char* kProgram = "weir-agent";
constexpr const char* kDescription =
    "Follows access logs and ships them to Kafka, each line exactly once: the registry records what was "
    "acknowledged; what was not is sent again, and counted once.";

struct Arguments {
  std::string config, state_dir, nginx_conf, file, source;
  LogOptions log;
  std::uint64_t offset = 0;
  std::string wait = "0s";
  bool output = false, json = false, plan = false;
  std::string format_name, log_format, escape = "default";
  ParseOptions parse;
  CatOptions cat;
  std::string cat_offset;
  bool cat_headers = false, cat_messages = false, cat_to_end = false;
};

// Adds the options that choose an agent's registry: by its configuration or by its folder.
CLI::Option* add_registry_options(CLI::App& command, Arguments& a) {
  auto* config = command.add_option("--config", a.config, "The agent's configuration")->type_name("FILE");
  command.add_option("--state-dir", a.state_dir, "The agent's state_dir (default: /var/lib/weir-agent)")
      ->excludes(config)
      ->type_name("DIR");
  return config;
}

void add_commands(CLI::App& app, Arguments& a) {
  auto* run = app.add_subcommand("run", "Follow the logs and ship them");
  run->add_option("--config", a.config, "The configuration (TOML)")->required()->type_name("FILE");
  add_log_options(*run, a.log);
  run->footer("Example: weir-agent run --config /etc/weir/agent.toml");

  auto* check = app.add_subcommand("check", "Report every mistake in a configuration");
  check->add_option("--config", a.config, "The configuration (TOML)")->required()->type_name("FILE");
  check->add_flag("--output", a.output,
                  "Also connect to Kafka: check brokers, topic, partitions and the largest message");
  check->footer("Example: weir-agent check --config /etc/weir/agent.toml --output");

  auto* parse = app.add_subcommand("parse", "Print log lines as JSON objects, one per line");
  auto* name = parse
                   ->add_option("--format", a.format_name,
                                fmt::format("{}, or a [format.NAME] of --config (default: {})",
                                            known_format_list(), kDefaultFormat))
                   ->type_name("NAME");
  parse->add_option("--log-format", a.log_format, "The string of nginx's log_format")
      ->excludes(name)
      ->type_name("STRING");
  parse->add_option("--escape", a.escape, "The escape= of that log_format")
      ->check(CLI::IsMember({"default", "json", "none"}));
  parse->add_option("--config", a.config, "A configuration with [format.NAME]")->type_name("FILE");
  parse
      ->add_option("--trusted-proxy", a.parse.client.trusted_proxies,
                   "Network of load balancers, whose addresses are not clients; may be repeated")
      ->allow_extra_args(false)
      ->type_name("NETWORK");
  parse
      ->add_option("--client-from", a.parse.client.client_from,
                   "Header with the client's address: http_x_real_ip, http_x_forwarded_for; may be repeated")
      ->allow_extra_args(false)
      ->type_name("NAME");
  parse->add_option("files", a.parse.files, "Logs, also .gz, .zst and .bz2 (default: standard input)")
      ->type_name("FILE");
  parse->footer("Example: weir-agent parse --format combined /var/log/nginx/access.log");

  auto* discover =
      app.add_subcommand("discover", "Read nginx.conf and print an [[input]] for each access log");
  discover->add_option("--nginx-conf", a.nginx_conf, "nginx.conf (default: /etc/nginx/nginx.conf)")
      ->type_name("FILE");
  discover->footer(
      "Example: weir-agent discover > /etc/weir/conf.d/nginx.toml\n"
      "agent.toml takes the file in by include = [\"conf.d/*.toml\"].");

  auto* status = app.add_subcommand(
      "status",
      "Print the sources that the registry knows, with offset and lag; with --config also each route");
  auto* config = add_registry_options(*status, a);
  status->add_flag("--json", a.json, "Print JSON, one object per source");
  status->add_flag("--plan", a.plan, "Print what a start would read, from where and why; changes nothing")
      ->needs(config);
  status->footer("Example: weir-agent status --config /etc/weir/agent.toml");

  auto* drained = app.add_subcommand(
      "drained", "Exit with 0 if a file is acknowledged to its end, with 11 if it is not yet");
  drained->add_option("file", a.file, "The log, under its current name")->required()->type_name("FILE");
  add_registry_options(*drained, a);
  drained->add_option("--wait", a.wait, "How long to wait for that: 30s, 5m (default: 0s)")
      ->type_name("DURATION");
  drained->footer("Example: weir-agent drained --wait 30s /var/log/nginx/access.log.1");
}

void add_cat_command(CLI::App& app, Arguments& a) {
  auto* cat = app.add_subcommand("cat", "Print the batches of a topic as JSON objects, one per line");
  auto* config =
      cat->add_option("--config", a.config, "The agent's configuration, for brokers, topic, tls and sasl")
          ->type_name("FILE");
  auto* brokers =
      cat->add_option("--brokers", a.cat.connection.brokers, "Brokers, if they need neither tls nor sasl")
          ->delimiter(',')
          ->allow_extra_args(false)
          ->excludes(config)
          ->type_name("HOST:PORT,...");
  auto* topic = cat->add_option("--topic", a.cat.read.topic, "The topic (default: that of --config)")
                    ->type_name("NAME");
  brokers->needs(topic);
  auto* partition = cat->add_option("--partition", a.cat.read.partitions,
                                    "Only this partition; may be repeated (default: all)")
                        ->allow_extra_args(false)
                        ->type_name("N");
  auto* offset =
      cat->add_option("--offset", a.cat_offset,
                      "Where to start in each partition: beginning, end, an offset, or -N for the last N "
                      "messages (default: beginning; with --follow: end)")
          ->type_name("OFFSET");
  cat->add_option("--count", a.cat.count, "Stop after N messages")->type_name("N");
  auto* follow = cat->add_flag("-f,--follow", a.cat.read.follow, "At the end, wait for more messages");
  cat->add_flag("-e,--exit", a.cat_to_end, "Stop at the end (the default)")->excludes(follow);
  auto* headers =
      cat->add_flag("--headers", a.cat_headers,
                    "Print one object per message: the header of its batch; heartbeats and losses too");
  auto* messages =
      cat->add_flag("--messages", a.cat_messages,
                    "Write the messages as they are, each preceded by its length (4 bytes, big-endian)")
          ->excludes(headers);
  cat->add_flag("--provenance", a.cat.provenance,
                "Add to each object where its line came from: topic, offset, host, path, bytes")
      ->excludes(headers)
      ->excludes(messages);
  auto* files =
      cat->add_option(
             "files", a.cat.files,
             "Read files instead of a topic: output of --messages, or one batch; - is standard input")
          ->type_name("FILE");
  for (auto* of_topic : {config, brokers, topic, partition, offset, follow}) files->excludes(of_topic);
  cat->footer("Example: weir-agent cat --config /etc/weir/agent.toml --offset -10 --provenance");
}

void add_registry_commands(CLI::App& app, Arguments& a) {
  auto* registry = app.add_subcommand("registry", "Show the registry of offsets, or change it by hand");
  registry->require_subcommand(1);
  auto* list = registry->add_subcommand(
      "list", "Print everything known of each source, and losses that are not reported yet");
  add_registry_options(*list, a);
  auto* text =
      registry->add_subcommand("export", "Print every field of every source, one JSON object per line");
  add_registry_options(*text, a);
  const auto add_source = [&](CLI::App& command) {
    command.add_option("source", a.source, "The id of the source, or its first digits (see registry list)")
        ->required()
        ->type_name("SOURCE");
    add_registry_options(command, a);
  };
  auto* forget = registry->add_subcommand(
      "forget", "Forget a source; its file is then read from the beginning. Stop the agent first");
  add_source(*forget);
  auto* set_offset = registry->add_subcommand("set-offset",
                                              "Continue a source at another offset; bytes that are skipped "
                                              "are recorded as lost. Stop the agent first");
  add_source(*set_offset);
  set_offset->add_option("offset", a.offset, "In bytes of the uncompressed file; a line must start there")
      ->required()
      ->type_name("OFFSET");
  set_offset->footer(
      "Example: weir-agent registry set-offset 569700cb 1048576 --config /etc/weir/agent.toml");
}

int fail_with(const Error& error, ExitCode code) {
  print_error(kProgram, error);
  return code;
}

int run_parse(Arguments& a) {
  if (!a.log_format.empty()) {
    a.parse.format = {FormatSpec::Kind::kNginx, a.log_format, a.escape};
    return parse_command(a.parse);
  }
  std::map<std::string, FormatSpec> own;
  if (!a.config.empty()) {
    auto loaded = load_agent_config(a.config);
    if (!loaded) return fail_with(loaded.error(), kExitConfig);
    own = std::move(loaded->config.formats);
  }
  const auto named = find_format(a.format_name.empty() ? std::string(kDefaultFormat) : a.format_name, own);
  if (!named) return fail_with(named.error(), kExitUsage);
  a.parse.format = *named;
  return parse_command(a.parse);
}

// Errors: kInvalid for the arguments. Every other code is about the configuration.
Result<void> prepare_cat(Arguments& a) {
  auto& cat = a.cat;
  if (a.cat_headers) cat.show = CatOptions::Show::kHeaders;
  if (a.cat_messages) cat.show = CatOptions::Show::kMessages;
  if (!cat.files.empty()) return {};
  if (a.cat_offset.empty()) a.cat_offset = cat.read.follow ? "end" : "beginning";
  const auto start = parse_kafka_start(a.cat_offset);
  if (!start) return std::unexpected(start.error());
  cat.read.start = *start;
  if (a.config.empty() && cat.connection.brokers.empty())
    return fail(Code::kInvalid, "cat needs a topic or files",
                "give --config, or --brokers and --topic, or files");
  for (const auto& broker : cat.connection.brokers) {
    if (!is_host_port(broker))
      return fail(Code::kInvalid, fmt::format("--brokers: \"{}\" is not a broker", broker),
                  "write host:9092");
  }
  if (!cat.read.topic.empty() && !is_topic_name(cat.read.topic))
    return fail(Code::kInvalid, fmt::format("--topic: \"{}\" {}", cat.read.topic, kTopicRule));
  return {};
}

int run_cat(Arguments& a) {
  if (const auto ready = prepare_cat(a); !ready) return fail_with(ready.error(), kExitUsage);
  if (a.config.empty()) return cat_command(a.cat);
  const auto loaded = load_agent_config(a.config);
  if (!loaded) return fail_with(loaded.error(), kExitConfig);
  for (const auto& mistake : loaded->mistakes)
    print_error(kProgram, Error{Code::kInvalid, mistake.text(), ""});
  if (!loaded->mistakes.empty()) return kExitConfig;
  if (loaded->config.output.kind != OutputKind::kKafka)
    return fail_with(Error{Code::kInvalid, fmt::format("{} has no [output.kafka]", a.config),
                           "give --brokers and --topic instead"},
                     kExitConfig);
  a.cat.connection = static_cast<const KafkaConnection&>(loaded->config.output.kafka);
  if (a.cat.read.topic.empty()) a.cat.read.topic = loaded->config.output.kafka.topic;
  return cat_command(a.cat);
}

int run_plan(const Arguments& a) {
  const auto loaded = load_agent_config(a.config);
  if (!loaded) return fail_with(loaded.error(), kExitConfig);
  for (const auto& mistake : loaded->mistakes)
    print_error(kProgram, Error{Code::kInvalid, mistake.text(), ""});
  if (!loaded->mistakes.empty()) return kExitConfig;
  for (const auto& missing : missing_logs(loaded->config))
    fmt::print(stderr, "{}: {}\n", kProgram, visible(missing));
  return plan_command(loaded->config, a.json);
}

Result<std::string> state_dir_of(const Arguments& a) {
  if (a.config.empty()) return a.state_dir.empty() ? AgentConfig().state_dir : a.state_dir;
  auto loaded = load_agent_config(a.config);
  if (!loaded) return std::unexpected(loaded.error());
  return std::move(loaded->config.state_dir);
}

int run_status(const Arguments& a) {
  if (a.plan) return run_plan(a);
  const auto state_dir = state_dir_of(a);
  if (!state_dir) return fail_with(state_dir.error(), kExitConfig);
  std::vector<RouteConfig> routes;
  if (!a.config.empty()) {
    // The registry does not know files that have never existed, nor routes that are not ahead of the others.
    if (const auto loaded = load_agent_config(a.config); loaded) {
      for (const auto& missing : missing_logs(loaded->config))
        fmt::print(stderr, "{}: {}\n", kProgram, visible(missing));
      routes = routes_of(loaded->config.output);
    }
  }
  return status_command(*state_dir, routes, a.json);
}

int run_registry(const CLI::App& registry, const Arguments& a) {
  const auto state_dir = state_dir_of(a);
  if (!state_dir) return fail_with(state_dir.error(), kExitConfig);
  if (registry.got_subcommand("list")) return registry_list_command(*state_dir);
  if (registry.got_subcommand("export")) return registry_export_command(*state_dir);
  if (registry.got_subcommand("forget")) return registry_forget_command(*state_dir, a.source);
  return registry_set_offset_command(*state_dir, a.source, a.offset);
}

int run_drained(const Arguments& a) {
  const auto wait = parse_duration(a.wait);
  if (!wait) return fail_with(wait.error(), kExitUsage);
  const auto state_dir = state_dir_of(a);
  if (!state_dir) return fail_with(state_dir.error(), kExitConfig);
  return drained_command(a.file, *state_dir, *wait);
}

}  // namespace

int run_agent_cli(int argc, char** argv) {
  CLI::App app(kDescription, kProgram);
  app.require_subcommand(0, 1);
  app.footer(kExitCodesText);
  Arguments a;
  add_commands(app, a);
  add_cat_command(app, a);
  add_registry_commands(app, a);
  if (const auto done = read_command_line(app, WEIR_VERSION, argc, argv)) return *done;
  try {
    if (app.got_subcommand("run")) return run_command(a.config, a.log);
    if (app.got_subcommand("check")) return check_command(a.config, a.output);
    if (app.got_subcommand("parse")) return run_parse(a);
    if (app.got_subcommand("cat")) return run_cat(a);
    if (app.got_subcommand("discover")) return discover_command(a.nginx_conf);
    if (app.got_subcommand("status")) return run_status(a);
    if (app.got_subcommand("drained")) return run_drained(a);
    if (app.got_subcommand("registry")) return run_registry(*app.get_subcommand("registry"), a);
  } catch (const std::exception& error) {
    return fail_with(Error{Code::kIo, error.what(), ""}, kExitFailed);
  }
  fmt::print(stderr, "{}", app.help());
  return kExitUsage;
}

}  // namespace weir
