// weir-agent plan: shows what a start would read, and why, without starting.
#include <fmt/format.h>

#include <memory>
#include <utility>

#include "agent/command_text.h"
#include "agent/commands.h"
#include "agent/core.h"
#include "agent/tail/content.h"
#include "agent/tail/file_system.h"
#include "agent/tail/registry.h"
#include "common/clock.h"
#include "common/exit_codes.h"
#include "common/text.h"

namespace weir {
namespace {

// The registry of an agent that may be running. It is read but never changed.
class ReadOnlyRegistry : public RegistryFile {
 public:
  explicit ReadOnlyRegistry(std::string state_dir) : state_dir_(std::move(state_dir)) {}
  [[nodiscard]] Result<RegistryContent> load() override {
    auto content = read_registry(state_dir_);
    if (!content && content.error().code == Code::kNotFound) return RegistryContent{};  // the first start
    return content;
  }
  [[nodiscard]] Result<void> write(const Change& /*change*/) override { return {}; }

 private:
  std::string state_dir_;
};

// Reports no partitions, so nothing is ever sent.
class NoOutput : public Output {
 public:
  void set_on_settled(Settled /*on_settled*/) override {}
  [[nodiscard]] Result<void> send(Message& /*message*/) override { return fail(Code::kFull, "no output"); }
  [[nodiscard]] std::int32_t partition_count(std::size_t /*route*/) override { return 0; }
  void poll() override {}
  [[nodiscard]] int readable_fd() const override { return -1; }
  [[nodiscard]] OutputStatus status() const override { return {}; }
};

// The size of compressed content is not known without reading all of it.
bool knows_size(const PlanLine& line) { return !line.source.empty() && !is_compressed_path(line.path); }

void print_json(const PlanLine& line) {
  const auto reads = !line.source.empty();
  fmt::print("{{\"path\":{},\"source\":{},\"offset\":{},\"size_bytes\":{},\"why\":{}}}\n",
             json_text(line.path), reads ? json_text(line.source.hex()) : "null",
             reads ? fmt::format("{}", line.offset) : "null",
             knows_size(line) ? fmt::format("{}", line.size_bytes) : "null", json_text(line.why));
}

void print_row(const PlanLine& line) {
  const auto reads = !line.source.empty();
  fmt::print("{:<32}  {:>14}  {:>14}  {}  ({})\n", reads ? line.source.hex() : "-",
             reads ? fmt::format("{}", line.offset) : "-",
             knows_size(line) ? fmt::format("{}", line.size_bytes) : "-", visible(line.path),
             visible(line.why));
}

}  // namespace

Result<std::vector<PlanLine>> plan_start(const AgentConfig& config, const FileSystem& files,
                                         const Clock& clock) {
  auto registry = Registry::open(std::make_unique<ReadOnlyRegistry>(config.state_dir));
  if (!registry) return std::unexpected(registry.error());
  NoOutput output;
  auto core = AgentCore::create(
      config,
      {.output = output, .files = files, .clock = clock, .registry = std::move(*registry), .host = config.id},
      {});
  if (!core) return std::unexpected(core.error());
  return (*core)->plan();
}

int plan_command(const AgentConfig& config, bool json) {
  const auto plan = plan_start(config, posix_file_system(), system_clock());
  if (!plan) {
    print_error("weir-agent", plan.error());
    return plan.error().code == Code::kInvalid ? kExitConfig : kExitFailed;
  }
  if (!json) fmt::print("{:<32}  {:>14}  {:>14}  PATH (WHY)\n", "SOURCE", "FROM", "SIZE");
  for (const auto& line : *plan) json ? print_json(line) : print_row(line);
  return kExitOk;
}

}  // namespace weir
