#include "aggregator/cli.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <exception>

#include "agent/format/known.h"
#include "aggregator/audit_command.h"
#include "aggregator/commands.h"
#include "aggregator/load_config.h"
#include "aggregator/open_for_reading.h"
#include "aggregator/report_command.h"
#include "common/command_line.h"
#include "common/exit_codes.h"
#include "common/log_options.h"

namespace weir {
namespace {

constexpr const char* kDescription =
    "Counts what web servers have served, each request exactly once: reads the batches of weir-agent or the "
    "logs of this machine, keeps windows in a store, serves a page and sends warnings.";

struct Arguments {
  std::string config;
  LogOptions log;
  bool check_store = false;
  LocalOptions local;
  ReportOptions report;
  AuditOptions audit;
  std::string by;
  std::string store;
};

void add_run(CLI::App& app, Arguments& arguments) {
  auto* run = app.add_subcommand("run", "Read from Kafka into the store, serve the page, send warnings");
  run->add_option("--config", arguments.config, "The configuration (TOML)")->required()->type_name("FILE");
  add_log_options(*run, arguments.log);
}

void add_check(CLI::App& app, Arguments& arguments) {
  auto* check = app.add_subcommand("check", "Report every mistake in a configuration");
  check->add_option("--config", arguments.config, "The configuration (TOML)")->required()->type_name("FILE");
  check->add_flag("--store", arguments.check_store, "Also connect to the store and print its schema version");
}

void add_local(CLI::App& app, Arguments& arguments) {
  auto* local =
      app.add_subcommand("local", "Read the logs of this machine; needs neither Kafka nor a configuration");
  local->add_option("logs", arguments.local.logs, "Logs: files and globs, also rotated and compressed ones")
      ->required()
      ->type_name("LOG");
  local
      ->add_option("--store", arguments.local.store_path,
                   "SQLite file (default: weir.db in $XDG_STATE_HOME, else in the current directory)")
      ->type_name("FILE");
  auto* format =
      local
          ->add_option("--format", arguments.local.format_name,
                       fmt::format("{}, or a [format.NAME] of --config (default: detected from the log)",
                                   known_format_list()))
          ->type_name("NAME");
  local->add_option("--log-format", arguments.local.log_format, "The string of nginx's log_format")
      ->excludes(format)
      ->type_name("STRING");
  local
      ->add_option("--config", arguments.local.config_path,
                   "Configuration: rules, mail, formats; it needs no source and no store")
      ->type_name("FILE");
  local
      ->add_option("--listen", arguments.local.listen,
                   "Address of the page (default: 127.0.0.1:8080, or a free port if that is in use)")
      ->type_name("ADDR");
  local->add_flag("--once", arguments.local.once, "Read to the end, print the table and exit");
}

void add_report(CLI::App& app, Arguments& arguments) {
  auto* report = app.add_subcommand("report", "Print tables, CSV or JSON from the store");
  report->require_subcommand(0, 1);
  auto* traffic = report->add_subcommand("traffic", "Requests, bytes, times and latency");
  auto* store = traffic->add_option("--store", arguments.store, "SQLite file")->type_name("FILE");
  traffic->add_option("--config", arguments.config, "Configuration that names the store")
      ->excludes(store)
      ->type_name("FILE");
  traffic
      ->add_option("--from", arguments.report.from, "Start, in UTC: 2026-11-23, 2026-11-23T10:00:00Z, -24h")
      ->type_name("TIME");
  traffic->add_option("--to", arguments.report.to, "End; that moment is not included")->type_name("TIME");
  traffic->add_option("--by", arguments.by, "A row for each: site, host, status, separated by commas")
      ->type_name("LIST");
  traffic
      ->add_option("--step", arguments.report.step,
                   "Length of a row's time, a multiple of the window: 1m, 5m, 1h, 1d; or all")
      ->capture_default_str();
  traffic->add_option("--format", arguments.report.format, "table, csv or json")->capture_default_str();
  traffic->add_option("--site", arguments.report.site, "Only this site");
  traffic->add_option("--host", arguments.report.host, "Only this host");
}

void add_audit(CLI::App& app, Arguments& arguments) {
  auto* audit =
      app.add_subcommand("audit", "Check that every byte was counted: bytes, lines and losses of each log");
  auto* store = audit->add_option("--store", arguments.store, "SQLite file")->type_name("FILE");
  audit->add_option("--config", arguments.config, "Configuration that names the store")
      ->excludes(store)
      ->type_name("FILE");
  audit->add_option("--format", arguments.audit.format, "table or json")->capture_default_str();
  audit
      ->add_option(
          "--agent-status", arguments.audit.agent_status,
          "Files made by weir-agent status --json; what they say was shipped is compared with the store")
      ->type_name("FILE");
}

int usage(const std::string& what, const std::string& hint) {
  print_error(kProgram, Error{Code::kInvalid, what, hint});
  return kExitUsage;
}

std::vector<std::string> split_commas(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size() && !text.empty();) {
    const std::size_t comma = std::min(text.find(',', begin), text.size());
    parts.push_back(text.substr(begin, comma - begin));
    begin = comma + 1;
  }
  return parts;
}

int start_report(Arguments& arguments) {
  if (arguments.store.empty() == arguments.config.empty()) {
    return usage("report traffic needs a store", "give --store FILE or --config FILE");
  }
  const auto opened = open_for_reading(arguments.store, arguments.config);
  if (!opened) return opened.error();
  arguments.report.by = split_commas(arguments.by);
  arguments.report.window_s = opened->window_s;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return report_traffic(*opened->store, arguments.report,
                        std::chrono::duration_cast<std::chrono::seconds>(now).count(), stdout);
}

int start_audit(const Arguments& arguments) {
  if (arguments.store.empty() == arguments.config.empty())
    return usage("audit needs a store", "give --store FILE or --config FILE");
  const auto opened = open_for_reading(arguments.store, arguments.config);
  if (!opened) return opened.error();
  return audit_command(*opened->store, arguments.audit, stdout);
}

}  // namespace

int run_cli(int argc, char** argv) {
  CLI::App app{kDescription, kProgram};
  app.require_subcommand(0, 1);
  app.fallthrough(false);
  app.footer(kExitCodesText);
  Arguments arguments;
  add_run(app, arguments);
  add_check(app, arguments);
  add_local(app, arguments);
  add_report(app, arguments);
  add_audit(app, arguments);
  if (const auto done = read_command_line(app, WEIR_VERSION, argc, argv)) return *done;
  if (app.got_subcommand("run")) return run_command(arguments.config, arguments.log);
  if (app.got_subcommand("check")) return check_command(arguments.config, arguments.check_store);
  if (app.got_subcommand("local")) return local_command(arguments.local);
  if (app.got_subcommand("audit")) return start_audit(arguments);
  const auto* report = app.get_subcommand("report");
  if (report->parsed() && report->got_subcommand("traffic")) return start_report(arguments);
  fmt::print(stderr, "{}", report->parsed() ? report->help() : app.help());
  return kExitUsage;
}

}  // namespace weir
