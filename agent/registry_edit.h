// What an operator may change in the registry by hand, decided without changing it.
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

// By its 32 hex digits or the first of them, if no other begins alike. Errors: kNotFound, kInvalid.
[[nodiscard]] Result<RegistryEntry> find_source(const Registry& registry, std::string_view hex);

struct OffsetChange {
  RegistryEntry entry;
  std::optional<Loss> loss;  // of what is skipped
};

// `entry`, to go on at `offset`. `content`: of its file, null when it is not there; then nobody can
// tell whether a line starts there. Backwards costs nothing: what was counted is not counted again.
// Errors: kInvalid (no line starts there: says the nearest ones; behind the end), kCorrupt (the
// file has other bytes than those that were shipped), those of Content::read.
[[nodiscard]] Result<OffsetChange> change_offset(const RegistryEntry& entry, std::uint64_t offset,
                                                 Content* content, std::int64_t now_ms);

// The entry's file where it was, or under another name of the same log; null: not there.
// Errors: it is there and cannot be opened.
[[nodiscard]] Result<std::unique_ptr<Content>> open_file_of(const RegistryEntry& entry,
                                                            const FileSystem& files);

}  // namespace weir
