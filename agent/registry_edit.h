// The changes that an operator may make to the registry by hand. Decides them without applying them.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "agent/tail/content.h"
#include "agent/tail/registry.h"
#include "proto/result.h"

namespace weir {

// Finds a source by its 32 hex digits, or by a prefix that no other id shares. Errors: kNotFound, kInvalid.
[[nodiscard]] Result<RegistryEntry> find_source(const Registry& registry, std::string_view hex);

struct OffsetChange {
  RegistryEntry entry;
  std::optional<Loss> loss;  // the skipped bytes
};

// Changes `entry` to continue at `offset`. `content` is that of its file, or null if there is no file; then
// nobody can check that a line starts there. Moving back is safe: lines that were counted are not counted
// again.
// Errors: kInvalid (no line starts there, with the nearest line starts; or beyond the end), kCorrupt (the
// file's bytes differ from those that were shipped), those of Content::read.
[[nodiscard]] Result<OffsetChange> change_offset(const RegistryEntry& entry, std::uint64_t offset,
                                                 Content* content, std::int64_t now_ms);

// Opens the entry's file at its path or under another name of the same log. null: not found.
// Errors: the file exists but cannot be opened.
[[nodiscard]] Result<std::unique_ptr<Content>> open_file_of(const RegistryEntry& entry,
                                                            const FileSystem& files);

}  // namespace weir
