// What proves that a file is a source: hashes of the bytes before an offset, and its first data line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/tail/content.h"
#include "proto/result.h"

namespace weir {

// Of the bytes before an offset this many prove that a file is the one that was read.
inline constexpr std::size_t kTailHashBytes = 1024;
// How far the first data line is looked for, and how much two files must have in common to begin alike.
inline constexpr std::size_t kHeadScanBytes = 64 << 10;

[[nodiscard]] std::string hash_of(std::string_view bytes);
// The first data line of a content, for its SourceId: "" while there is no whole one.
// Comment lines ('#') and a hole of NULs are skipped; at most kFirstLineHashBytes.
[[nodiscard]] Result<std::string> first_data_line(Content& content);
// Content::read() until size_bytes are there or the end has come; how many that were.
[[nodiscard]] Result<std::size_t> read_whole(Content& content, std::uint64_t offset, std::size_t size_bytes,
                                             std::string& out);
// Hash of up to 1 KiB before `offset`; "" when the content has not that many bytes.
[[nodiscard]] Result<std::string> tail_hash(Content& content, std::uint64_t offset);

}  // namespace weir
