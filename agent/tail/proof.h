// Proof that a file is a given source: the hash of the bytes before an offset, and the first data line.
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
// The limit of the search for the first data line. Two files begin alike if this many bytes are the same.
inline constexpr std::size_t kHeadScanBytes = 64 << 10;

[[nodiscard]] std::string hash_of(std::string_view bytes);
// The first data line of a content, cut to kFirstLineHashBytes; the SourceId is derived from it. "": no whole
// line yet. Comment lines ('#') and a hole of NULs are skipped. Errors: those of Content::read.
[[nodiscard]] Result<std::string> first_data_line(Content& content);
// Calls Content::read() until it has size_bytes or reaches the end. Returns how many bytes it got.
[[nodiscard]] Result<std::size_t> read_whole(Content& content, std::uint64_t offset, std::size_t size_bytes,
                                             std::string& out);
// The hash of up to kTailHashBytes before `offset`. "": the content is shorter than `offset`.
[[nodiscard]] Result<std::string> tail_hash(Content& content, std::uint64_t offset);

}  // namespace weir
