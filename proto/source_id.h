// SourceId names the content of a file, not its place (docs/architecture.md).
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "proto/result.h"

namespace weir {

struct SourceId {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  friend auto operator<=>(const SourceId&, const SourceId&) = default;

  [[nodiscard]] bool empty() const { return high == 0 && low == 0; }
  [[nodiscard]] std::string hex() const;    // 32 lower-case hex digits
  [[nodiscard]] std::string bytes() const;  // 16 bytes, big endian
  [[nodiscard]] static Result<SourceId> from_hex(std::string_view text);
  [[nodiscard]] static Result<SourceId> from_bytes(std::string_view bytes);
};

// At most this much of the first data line goes into the hash.
inline constexpr std::size_t kFirstLineHashBytes = 4096;

// XXH3-128 over agent id, family and first line, each preceded by its length
// (so that no two triples share an encoding). `salt` is empty but for the
// look-alikes of docs/architecture.md (device and inode, decimal, "dev:ino").
[[nodiscard]] SourceId make_source_id(std::string_view agent_id, std::string_view family,
                                      std::string_view first_line, std::string_view salt = {});

struct SourceIdHash {
  [[nodiscard]] std::size_t operator()(const SourceId& id) const { return id.low; }
};

}  // namespace weir
