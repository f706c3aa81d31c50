#include "agent/drained.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "agent/tail/content.h"
#include "agent/tail/proof.h"
#include "agent/tail/rotation.h"

namespace weir {
namespace {

constexpr std::chrono::milliseconds kLookAgain{100};
// In a file of a few lines, equal end bytes and an equal first line prove little.
constexpr std::uint64_t kProofByContentBytes = 1024;
constexpr std::size_t kLastLineBytes = 1 << 20;

bool is_file(const RegistryEntry& entry, const FileFacts& file) {
  return entry.device == file.device && entry.inode == file.inode &&
         (entry.birth_ns == 0 || file.birth_ns == 0 || entry.birth_ns == file.birth_ns);
}

// Whether the bytes before the acknowledged offset are the ones that were shipped.
Result<bool> proved(Content& content, const RegistryEntry& entry, bool by_content) {
  if (entry.tail_hash.empty()) return !by_content;
  const auto hash = tail_hash(content, entry.acknowledged_offset);
  if (!hash) return std::unexpected(hash.error());
  return *hash == entry.tail_hash;
}

Result<bool> ends_at(Content& content, std::uint64_t offset, const FileFacts& file) {
  if (!content.compressed()) return offset == file.size_bytes;
  std::string more;
  const auto got = content.read(offset, 1, more);
  if (!got) return std::unexpected(got.error());
  return *got == 0 && content.complete();
}

std::vector<const RegistryEntry*> of_the_file(const std::vector<RegistryEntry>& entries,
                                              const FileFacts& file) {
  std::vector<const RegistryEntry*> found;
  for (const auto& entry : entries) {
    if (is_file(entry, file)) found.push_back(&entry);
  }
  return found;
}

// The sources that the file may be a copy of. A copy is rotated further than its original.
Result<std::vector<const RegistryEntry*>> of_its_originals(const std::string& path, Content& content,
                                                           const std::vector<RegistryEntry>& entries) {
  std::vector<const RegistryEntry*> found;
  const auto line = first_data_line(content);
  if (!line) return std::unexpected(line.error());
  if (line->empty()) return found;
  const auto line_hash = make_source_id("", "", *line).bytes();
  for (const auto& entry : entries) {
    if (entry.line_hash == line_hash && entry.acknowledged_offset >= kProofByContentBytes &&
        log_family(entry.path) == log_family(path) && older_generation(path, entry.path))
      found.push_back(&entry);
  }
  return found;
}

// The largest acknowledged offset among those `entries` that have the file's bytes; nullopt if none has.
struct Acknowledged {
  std::uint64_t offset = 0;
  bool all = false;
};
Result<std::optional<Acknowledged>> furthest(const std::vector<const RegistryEntry*>& entries,
                                             Content& content, const FileFacts& file, bool by_content) {
  std::optional<Acknowledged> found;
  for (const auto* entry : entries) {
    const auto ours = proved(content, *entry, by_content);
    if (!ours) return std::unexpected(ours.error());
    // The offset is beyond the end of the file, so it refers to content from before a truncation.
    const bool more = !content.compressed() && entry->acknowledged_offset > file.size_bytes;
    if (!*ours || more || (found && found->offset >= entry->acknowledged_offset)) continue;
    const auto all = ends_at(content, entry->acknowledged_offset, file);
    if (!all) return std::unexpected(all.error());
    found = Acknowledged{entry->acknowledged_offset, *all};
  }
  return found;
}

std::string not_drained(const std::string& path, Content& content, std::uint64_t acknowledged,
                        const FileFacts& file) {
  if (content.compressed())
    return fmt::format("{}: its first {} bytes (uncompressed) are acknowledged, and there are more", path,
                       acknowledged);
  std::string rest;
  const auto got = read_whole(content, acknowledged, kLastLineBytes, rest);
  if (got && *got < kLastLineBytes && rest.find('\n') == std::string::npos)
    return fmt::format("{}: all whole lines are acknowledged; its last line has no newline yet ({} bytes)",
                       path, rest.size());
  return fmt::format("{}: {} of {} bytes are acknowledged", path, acknowledged, file.size_bytes);
}

}  // namespace

Result<DrainState> drain_state(const std::string& path, const std::vector<RegistryEntry>& entries,
                               const FileSystem& files) {
  const auto name = files.facts(path);
  if (!name) return std::unexpected(name.error());
  if (name->kind != FileKind::kRegular)
    return fail(Code::kInvalid, path + ": is not a regular file", "name a log that the agent follows");
  auto content = Content::open(path, files);
  if (!content) return std::unexpected(content.error());
  const auto file = (*content)->facts();
  if (!file) return std::unexpected(file.error());
  if (file->size_bytes == 0) return DrainState{true, path + ": is empty"};
  auto acknowledged = furthest(of_the_file(entries, *file), **content, *file, false);
  if (acknowledged && !*acknowledged) {
    const auto originals = of_its_originals(path, **content, entries);
    if (!originals) return std::unexpected(originals.error());
    acknowledged = furthest(*originals, **content, *file, true);
  }
  if (!acknowledged) return std::unexpected(acknowledged.error());
  if (!*acknowledged) return DrainState{false, path + ": the agent has shipped nothing of it (yet)"};
  const auto [offset, all] = **acknowledged;
  if (all) return DrainState{true, fmt::format("{}: all {} bytes are acknowledged", path, offset)};
  return DrainState{false, not_drained(path, **content, offset, *file)};
}

Result<DrainState> wait_until_drained(const std::function<Result<DrainState>()>& read_state,
                                      std::chrono::milliseconds wait, const Clock& clock,
                                      const std::function<void(std::chrono::milliseconds)>& pause) {
  const auto deadline = clock.steady_ms() + wait.count();
  for (;;) {
    auto state = read_state();
    const auto left = std::chrono::milliseconds(deadline - clock.steady_ms());
    // A registry or a compressed file that is being created right now will be readable soon.
    const bool may_pass = !state && (state.error().code == Code::kIo || state.error().code == Code::kCorrupt);
    if ((!state && !may_pass) || (state && state->drained) || left.count() <= 0) return state;
    pause(std::min(left, kLookAgain));
  }
}

}  // namespace weir
