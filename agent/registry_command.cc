// weir-agent registry: lists and exports the sources in the registry, and changes one by hand.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "agent/command_text.h"
#include "agent/commands.h"
#include "agent/registry_edit.h"
#include "agent/tail/registry.h"
#include "common/clock.h"
#include "common/exit_codes.h"
#include "common/text.h"

namespace weir {
namespace {

constexpr const char* kProgram = "weir-agent";

int fail_with(const Error& error, ExitCode other) {
  print_error(kProgram, error);
  if (error.code == Code::kFenced) return kExitLocked;
  return error.code == Code::kNotFound ? kExitInput : other;
}

void list_entries(const RegistryContent& content) {
  fmt::print("{:<32}  {:>14}  {:>14}  {:>5}  {:<20}  {:<8}  {:<12}  PATH\n", "SOURCE", "OFFSET", "SIZE",
             "PART", "SEEN", "STATE", "INPUT");
  for (const auto& entry : content.entries) {
    fmt::print("{:<32}  {:>14}  {:>14}  {:>5}  {:<20}  {:<8}  {:<12}  {}\n", entry.id.hex(),
               entry.acknowledged_offset, entry.size_bytes, entry.partition, utc_text(entry.seen_ms),
               visible(entry.state.text()), visible(entry.input), visible(entry.path));
  }
}

void list_losses(const RegistryContent& content) {
  if (content.losses.empty()) return;
  fmt::print("\nLosses not yet reported to the aggregator:\n");
  fmt::print("{:<32}  {:>14}  {:>14}  {:<20}  {:<28}  PATH\n", "SOURCE", "FROM", "TO", "NOTICED", "CAUSE");
  for (const auto& loss : content.losses) {
    fmt::print("{:<32}  {:>14}  {:>14}  {:<20}  {:<28}  {}\n", loss.source.hex(), loss.range.begin,
               loss.range.end, utc_text(loss.noticed_ms), to_string(loss.cause), visible(loss.path));
  }
}

void export_entry(const RegistryEntry& e) {
  fmt::print(
      "{{\"kind\":\"source\",\"source\":\"{}\",\"base\":\"{}\",\"line_hash\":\"{}\",\"path\":{},\"input\":{},"
      "\"device\":{},\"inode\":{},\"birth_ns\":{},\"partition\":{},\"origin\":{},\"acknowledged_offset\":{},"
      "\"size_bytes\":{},\"tail_hash\":\"{}\",\"sent_offset\":{},\"sent_tail_hash\":\"{}\","
      "\"last_acknowledged_ms\":{},\"seen_ms\":{},\"state\":{}}}\n",
      e.id.hex(), e.base.hex(), hex_text(e.line_hash), json_text(e.path), json_text(e.input), e.device,
      e.inode, e.birth_ns, e.partition, e.origin, e.acknowledged_offset, e.size_bytes, hex_text(e.tail_hash),
      e.sent_offset, hex_text(e.sent_tail_hash), e.last_acknowledged_ms, e.seen_ms,
      json_text(e.state.text()));
}

void export_loss(const Loss& loss) {
  fmt::print(
      "{{\"kind\":\"loss\",\"source\":\"{}\",\"begin_offset\":{},\"end_offset\":{},\"cause\":{},\"origin\":{}"
      ","
      "\"partition\":{},\"path\":{},\"input\":{},\"noticed_ms\":{}}}\n",
      loss.source.hex(), loss.range.begin, loss.range.end, json_text(to_string(loss.cause)), loss.origin,
      loss.partition, json_text(loss.path), json_text(loss.input), loss.noticed_ms);
}

// Opens the registry and takes its lock. Does not create the folder, which may be mistyped.
Result<std::unique_ptr<Registry>> open_to_change(const std::string& state_dir) {
  if (const auto entries = read_registry(state_dir); !entries && entries.error().code == Code::kNotFound)
    return std::unexpected(entries.error());
  auto registry = Registry::open(state_dir);
  if (registry && !(*registry)->note().empty())
    fmt::print(stderr, "{}: {}\n", kProgram, visible((*registry)->note()));
  return registry;
}

}  // namespace

int registry_list_command(const std::string& state_dir) {
  const auto content = read_registry(state_dir);
  if (!content) return fail_with(content.error(), kExitFailed);
  list_entries(*content);
  list_losses(*content);
  return kExitOk;
}

int registry_export_command(const std::string& state_dir) {
  const auto content = read_registry(state_dir);
  if (!content) return fail_with(content.error(), kExitFailed);
  for (const auto& entry : content->entries) export_entry(entry);
  for (const auto& loss : content->losses) export_loss(loss);
  return kExitOk;
}

int registry_forget_command(const std::string& state_dir, const std::string& source) {
  const auto registry = open_to_change(state_dir);
  if (!registry) return fail_with(registry.error(), kExitFailed);
  const auto entry = find_source(**registry, source);
  if (!entry) return fail_with(entry.error(), kExitUsage);
  (*registry)->forget(entry->id);
  if (const auto kept = (*registry)->flush(); !kept) return fail_with(kept.error(), kExitFailed);
  fmt::print(
      "source {} is forgotten: {}; if the file is there, it is read from its beginning and counted once\n",
      entry->id.hex(), visible(entry->path));
  return kExitOk;
}

int registry_set_offset_command(const std::string& state_dir, const std::string& source,
                                std::uint64_t offset) {
  const auto registry = open_to_change(state_dir);
  if (!registry) return fail_with(registry.error(), kExitFailed);
  const auto entry = find_source(**registry, source);
  if (!entry) return fail_with(entry.error(), kExitUsage);
  const auto content = open_file_of(*entry, posix_file_system());
  if (!content) return fail_with(content.error(), kExitInput);
  if (*content == nullptr) {
    fmt::print(stderr, "{}: {}: the file is not there; that a line starts at {} is believed\n", kProgram,
               visible(entry->path), offset);
  }
  const auto change = change_offset(*entry, offset, content->get(), system_clock().wall_ms());
  if (!change) return fail_with(change.error(), kExitUsage);
  (*registry)->put(change->entry);
  const auto& loss = change->loss;
  if (loss) (*registry)->add_loss(*loss);
  if (const auto kept = (*registry)->flush(); !kept) return fail_with(kept.error(), kExitFailed);
  fmt::print("source {}: offset {} -> {} of {}\n", entry->id.hex(), entry->acknowledged_offset, offset,
             visible(entry->path));
  if (loss) {
    fmt::print("{} bytes are skipped; they are reported to the aggregator at the next start ({})\n",
               loss->range.size(), to_string(loss->cause));
  }
  return kExitOk;
}

}  // namespace weir
