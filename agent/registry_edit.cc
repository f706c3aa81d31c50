#include "agent/registry_edit.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "agent/tail/proof.h"
#include "agent/tail/rotation.h"

namespace weir {
namespace {

constexpr std::uint64_t kLookForLineBytes = 1 << 20;

// "120 or 180": the line starts nearest to an offset that is not one.
Result<std::string> nearest_line_starts(Content& content, std::uint64_t offset) {
  const auto from = offset > kLookForLineBytes ? offset - kLookForLineBytes : 0;
  std::string before;
  if (const auto got = read_whole(content, from, offset - from, before); !got)
    return std::unexpected(got.error());
  std::string after;
  if (const auto got = read_whole(content, offset, kLookForLineBytes, after); !got)
    return std::unexpected(got.error());
  const auto last = before.rfind('\n');
  const auto next = after.find('\n');
  std::string text;
  if (last != std::string::npos) {
    text = fmt::format("{}", from + last + 1);
  } else if (from == 0) {
    text = "0";
  }
  if (next != std::string::npos) text += fmt::format("{}{}", text.empty() ? "" : " or ", offset + next + 1);
  return text;
}

Result<void> check_line_start(const RegistryEntry& entry, std::uint64_t offset, Content& content) {
  if (offset == 0) return {};
  std::string byte;
  const auto got = read_whole(content, offset - 1, 1, byte);
  if (!got) return std::unexpected(got.error());
  if (*got == 0)
    return fail(Code::kInvalid, fmt::format("{}: offset {} lies behind its end", entry.path, offset),
                "weir-agent registry list says its size");
  if (byte == "\n") return {};
  if (content.compressed()) {
    // The last line of a finished file is complete even without a newline.
    const auto more = content.read(offset, 1, byte);
    if (!more) return std::unexpected(more.error());
    if (*more == 0 && content.complete()) return {};
  }
  const auto starts = nearest_line_starts(content, offset);
  if (!starts) return std::unexpected(starts.error());
  return fail(Code::kInvalid, fmt::format("{}: no line starts at offset {}", entry.path, offset),
              starts->empty() ? "no line starts within 1 MiB of it" : "the nearest line starts: " + *starts);
}

Result<void> check_same_bytes(const RegistryEntry& entry, Content& content) {
  if (entry.tail_hash.empty()) return {};
  const auto hash = tail_hash(content, entry.acknowledged_offset);
  if (!hash) return std::unexpected(hash.error());
  if (*hash == entry.tail_hash) return {};
  return fail(Code::kCorrupt,
              fmt::format("{}: has other bytes before offset {} than those that were shipped", entry.path,
                          entry.acknowledged_offset),
              "it was truncated or written anew: what is there now is another source");
}

}  // namespace

Result<RegistryEntry> find_source(const Registry& registry, std::string_view hex) {
  std::optional<RegistryEntry> found;
  for (const auto& [id, entry] : registry.entries()) {
    if (hex.empty() || !id.hex().starts_with(hex)) continue;
    if (found)
      return fail(Code::kInvalid, fmt::format("source {}: more than one begins so", hex),
                  "give more digits of it; weir-agent registry list prints them");
    found = entry;
  }
  if (!found)
    return fail(Code::kNotFound, fmt::format("source {}: not in the registry", hex),
                "weir-agent registry list prints those that are");
  return *found;
}

Result<OffsetChange> change_offset(const RegistryEntry& entry, std::uint64_t offset, Content* content,
                                   std::int64_t now_ms) {
  OffsetChange change{entry, std::nullopt};
  auto& fresh = change.entry;
  const auto old = entry.acknowledged_offset;
  fresh.acknowledged_offset = offset;
  fresh.tail_hash.clear();
  // Ranges that were sent may lie on both sides of the new offset. So it is shipped once as records, which
  // can be split.
  fresh.routes.clear();
  fresh.cuts_known = false;
  fresh.cuts.clear();
  if (content != nullptr) {
    if (auto same = check_same_bytes(entry, *content); !same) return std::unexpected(same.error());
    if (auto start = check_line_start(entry, offset, *content); !start) return std::unexpected(start.error());
    auto hash = tail_hash(*content, offset);
    if (!hash) return std::unexpected(hash.error());
    fresh.tail_hash = std::move(*hash);
    fresh.size_bytes = std::max(fresh.size_bytes, offset);
  } else if (offset > entry.size_bytes) {
    return fail(Code::kInvalid,
                fmt::format("{}: offset {} lies behind its end, which was at {}", entry.path, offset,
                            entry.size_bytes),
                "the file no longer exists; give an offset within it");
  }
  // The operator now asks for lines before a start_at = "end".
  fresh.origin = std::min(fresh.origin, offset);
  if (offset > old) {
    change.loss = Loss{.source = entry.id,
                       .range = {old, offset},
                       .cause = LossCause::kSkippedByOperator,
                       .origin = fresh.origin,
                       .partition = entry.partition,
                       .path = entry.path,
                       .input = entry.input,
                       .noticed_ms = now_ms};
  }
  return change;
}

Result<std::unique_ptr<Content>> open_file_of(const RegistryEntry& entry, const FileSystem& files) {
  auto paths = files.glob(log_family(entry.path) + "*").paths;
  paths.insert(paths.begin(), entry.path);
  for (const auto& path : paths) {
    const auto facts = files.facts(path);
    if (!facts || facts->device != entry.device || facts->inode != entry.inode) continue;
    // An inode number may be reused; the birth time then differs.
    if (entry.birth_ns != 0 && facts->birth_ns != entry.birth_ns) continue;
    return Content::open(path, files);
  }
  return nullptr;
}

}  // namespace weir
