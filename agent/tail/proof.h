// What proves that a file is a source: hashes of the bytes before an offset, and its first data line.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/tail/content.h"
#include "proto/result.h"

namespace weir {

// This many bytes before an offset prove that a file is the one that was read.
inline constexpr std::size_t kTailHashBytes = 1024;
// How far the search for the first data line goes. Two files begin alike if this much of them is the same.
inline constexpr std::size_t kHeadScanBytes = 64 << 10;

[[nodiscard]] std::string hash_of(std::string_view bytes);
// The first data line of a content, for its SourceId, cut to kFirstLineHashBytes. "": no whole line yet.
// Comment lines ('#') and a hole of NULs are skipped. Errors: those of Content::read.
[[nodiscard]] Result<std::string> first_data_line(Content& content);
// Calls Content::read() until it has size_bytes or the end has come. Returns how many bytes it got.
[[nodiscard]] Result<std::size_t> read_whole(Content& content, std::uint64_t offset, std::size_t size_bytes,
                                             std::string& out);
// The hash of up to kTailHashBytes before `offset`. "": the content is shorter than `offset`.
[[nodiscard]] Result<std::string> tail_hash(Content& content, std::uint64_t offset);

}  // namespace weir
