// weir-sim: simulates the whole path in one thread, from a seed. Exit code 0: every promise held in every
// schedule; 1: a promise was broken, and its shrunk trace is printed; 2: wrong arguments.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>

#include "tests/sim/world.h"

int main(int argc, char** argv) {
  using namespace weir::sim;
  CLI::App app("Searches for a schedule of faults that loses or doubles a line", "weir-sim");
  std::uint64_t seed = 1;
  std::uint64_t schedules = 1000;
  std::uint64_t seconds = 0;
  bool trace = false;
  app.add_option("--seed", seed, "The first schedule's; the next ones follow it");
  app.add_option("--schedules", schedules, "How many");
  app.add_option("--seconds", seconds, "Stop after this long (0: never)");
  app.add_flag("--trace", trace, "Print what happens in the first schedule");
  CLI11_PARSE(app, argc, argv);
  const auto start = std::chrono::steady_clock::now();
  Totals totals;
  for (std::uint64_t i = 0; i < schedules; ++i) {
    const auto elapsed = std::chrono::steady_clock::now() - start;
    if (seconds > 0 && elapsed >= std::chrono::seconds(seconds)) break;
    const auto schedule = make_schedule(seed + i);
    std::vector<std::string> lines;
    auto violation = run_schedule(schedule, totals, trace && i == 0 ? &lines : nullptr);
    for (const auto& line : lines) fmt::print("{}\n", line);
    if (!violation) continue;
    fmt::print("seed {}: {}\n", seed + i, *violation);
    const auto shrunk = shrink(schedule);
    lines.clear();
    Totals unused;
    const auto again = run_schedule(shrunk, unused, &lines);
    fmt::print("shrunk to {} of {} actions: {}\n", shrunk.actions.size(), schedule.actions.size(),
               again.value_or("it does not fail again: the simulation depends on something beside its seed"));
    for (const auto& line : lines) fmt::print("  {}\n", line);
    fmt::print("again: weir-sim --seed {} --schedules 1\n", seed + i);
    return 1;
  }
  const auto ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - start).count();
  fmt::print(
      "{} schedules from seed {}: {} actions, {} lines written, {} counted once, {} destroyed unread, {} "
      "lost and "
      "in gaps, {} crashes, {} commits fenced; {} schedules a minute\n",
      totals.schedules, seed, totals.actions, totals.lines, totals.counted, totals.excused_lines,
      totals.lost_lines, totals.crashes, totals.fenced,
      ms == 0 ? 0 : totals.schedules * 60'000 / static_cast<std::uint64_t>(ms));
  return 0;
}
